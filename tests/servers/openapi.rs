//! GitHub's own description of its API, as far as it lies at hand beside the project.

use serde_json::{Value, json};

/// What it says at a JSON pointer, as JSON Schema; `None` where the description does not lie at hand.
pub fn described(pointer: &str) -> Option<jsonschema::Validator> {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures/github/openapi-subset.json");
    let mut whole: Value = serde_json::from_slice(&std::fs::read(place).ok()?).unwrap();
    let mut schema = whole.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not described")).clone();
    schema["components"] = whole["components"].take();
    nullable(&mut schema);
    Some(jsonschema::validator_for(&schema).unwrap())
}

/// `nullable: true` is OpenAPI's; JSON Schema wants it spelled out.
fn nullable(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(nullable),
        Value::Object(fields) => {
            fields.values_mut().for_each(nullable);
            if fields.remove("nullable") == Some(Value::Bool(true)) {
                let inner = Value::Object(std::mem::take(fields));
                *value = json!({"anyOf": [inner, {"type": "null"}]});
            }
        }
        _ => {}
    }
}
