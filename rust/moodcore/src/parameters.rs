//! Hyperparameters as JSON: what all families share in reading them.

use crate::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// Reads hyperparameters; ranges are the caller's to check.
///
/// # Errors
/// [`Error::Configuration`] for unknown names and wrong types; the message names the parameter.
pub(crate) fn read_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    let reader = &mut serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let reason = error.inner().to_string();
        let reason = in_plain_words(reason.split(" at line ").next().unwrap_or_default());
        match error.path().to_string().as_str() {
            "." => Error::Configuration(reason),
            path => Error::Configuration(format!("{path}: {reason}")),
        }
    })
}

/// What serde expected, without Rust's names of types.
fn in_plain_words(reason: &str) -> String {
    let words = [
        ("expected f64", "expected a number"),
        ("expected usize", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected i64", "expected a whole number"),
        ("expected i8", "expected a whole number"),
        ("expected a boolean", "expected true or false"),
        ("expected a sequence", "expected a list of whole numbers"),
    ];
    let text =
        words.iter().fold(reason.to_owned(), |text, (rust, plain)| text.replace(rust, plain));
    // A whole number is what was given: it is below what the type can hold.
    if text.starts_with("invalid value: integer `-") { text + " of at least 0" } else { text }
}

/// Reads a table of constants, or its kind alone by name.
pub(crate) fn name_or_table<'de, D, T>(deserializer: D) -> std::result::Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    use serde::de::Error as _;
    let value = serde_json::Value::deserialize(deserializer)?;
    let table = match value {
        serde_json::Value::String(_) => serde_json::json!({ "kind": value }),
        table => table,
    };
    serde_json::from_value(table).map_err(D::Error::custom)
}
