// A Lambda function in Go: greets whom the event names.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Name string `json:"name"`
}

type answer struct {
	Greeting string `json:"greeting"`
	Request  string `json:"request"`
}

func handle(ctx context.Context, event event) (*answer, error) {
	if event.Name == "" {
		return nil, errors.New("the event has no name")
	}
	fmt.Println("greeting", event.Name)
	greeting, found := os.LookupEnv("GREETING")
	if !found {
		greeting = "Hello"
	}
	invocation, _ := lambdacontext.FromContext(ctx)
	return &answer{
		Greeting: fmt.Sprintf("%s, %s, from Go!", greeting, event.Name),
		Request:  invocation.AwsRequestID,
	}, nil
}

func main() {
	lambda.Start(handle)
}
