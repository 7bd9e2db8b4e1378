//! A Lambda function in Rust: greets whom the event names.

use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload["name"].as_str().ok_or("the event has no name")?;
    println!("greeting {name}");
    let greeting = std::env::var("GREETING").unwrap_or_else(|_| "Hello".into());
    Ok(json!({
        "greeting": format!("{greeting}, {name}, from Rust!"),
        "request": event.context.request_id,
    }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}
