package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Map;

/** A Lambda function in Java: greets whom the event names. */
public class Greeter implements RequestHandler<Map<String, String>, Map<String, String>> {
    private static final String GREETING = System.getenv().getOrDefault("GREETING", "Hello");

    @Override
    public Map<String, String> handleRequest(Map<String, String> event, Context context) {
        String name = event.get("name");
        if (name == null) {
            throw new IllegalArgumentException("the event has no name");
        }
        System.out.println("greeting " + name);
        return Map.of(
                "greeting", GREETING + ", " + name + ", from Java!",
                "request", context.getAwsRequestId());
    }
}
