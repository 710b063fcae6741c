//! Hyperparameters in JSON: parsing shared by all learners, and errors that name the parameter.
//!
//! Users write parameters in Python, so messages use Python's names of types and values.

use crate::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// Reads hyperparameters and checks their ranges.
///
/// # Errors
/// [`Error::Choice`] for a name that is not allowed, [`Error::Configuration`] for unknown
/// parameters and wrong types, and what `check` returns; the message names the parameter, the value
/// and what is allowed.
pub(crate) fn read_json<T, C>(text: &str, check: C) -> Result<T>
where
    T: DeserializeOwned,
    C: Fn(&T) -> Result<()>,
{
    let parameters: Value = serde_json::from_str(text)
        .map_err(|error| Error::Configuration(format!("parameters must be JSON: {error}")))?;
    match read::<T>(&parameters) {
        Ok(config) => check(&config).map(|()| config),
        Err(wrong) if wrong.is_negative => Err(out_of_range(parameters, wrong, check)),
        Err(Wrong { path, reason: Reason::Choice { allowed, value }, .. }) => {
            Err(Error::Choice { name: path, allowed, value })
        }
        Err(wrong) if wrong.path.is_empty() => {
            Err(Error::Configuration(format!("the dict of parameters{wrong}")))
        }
        Err(wrong) => Err(Error::Configuration(wrong.to_string())),
    }
}

/// The error for a negative number of something. Zero in its place shows what is allowed.
fn out_of_range<T, C>(mut parameters: Value, wrong: Wrong, check: C) -> Error
where
    T: DeserializeOwned,
    C: Fn(&T) -> Result<()>,
{
    let negative = parameters.get_mut(&wrong.path).map(|value| std::mem::replace(value, 0.into()));
    let checked = read::<T>(&parameters).ok().map(|config| check(&config));
    match (checked, negative) {
        (Some(Err(Error::Parameter { name, allowed, .. })), Some(value)) if name == wrong.path => {
            Error::parameter(name, allowed, value)
        }
        _ => Error::Configuration(wrong.to_string()),
    }
}

/// The key under which Python describes an object that JSON does not have, such as NaN.
const OTHER_OBJECT: &str = "\0repr";

fn other_object(value: &Value) -> Option<&str> {
    value.as_object()?.get(OTHER_OBJECT)?.as_str()
}

/// Reads a dict of constants, or its kind alone by name.
pub(crate) fn name_or_table<'de, D, T>(deserializer: D) -> std::result::Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    let is_table = value.is_object() && other_object(&value).is_none();
    if !value.is_string() && !is_table {
        return Err(serde::de::Error::custom("must be a str or a dict"));
    }
    let is_name = value.is_string();
    let table = if is_name { serde_json::json!({ "kind": value }) } else { value };
    read(&table).map_err(|mut wrong| {
        wrong.path = match (is_name, wrong.path.as_str()) {
            (true, _) | (false, "") => String::new(),
            (false, path) => format!(".{path}"),
        };
        serde::de::Error::custom(format!("{INNER}{wrong}"))
    })
}

/// Marks a message that says all but the path of the parameter it is about.
const INNER: char = '\u{1}';

/// Why a parameter cannot be read.
struct Wrong {
    path: String,
    reason: Reason,
    /// Whether the value is a negative number where none is allowed.
    is_negative: bool,
}

enum Reason {
    /// None of the names that are allowed.
    Choice { allowed: String, value: String },
    /// Something else, in words that follow the path.
    Other(String),
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.reason {
            Reason::Choice { allowed, value } => {
                write!(f, "{} must be one of {allowed}, got {value}", self.path)
            }
            Reason::Other(words) => write!(f, "{}{words}", self.path),
        }
    }
}

fn read<T: DeserializeOwned>(parameters: &Value) -> std::result::Result<T, Wrong> {
    serde_path_to_error::deserialize(parameters).map_err(|error| {
        let inner = error.inner().to_string();
        let reason = explain::<T>(parameters, error.path(), &inner);
        let mut path = error.path().to_string();
        if inner.starts_with("unknown field ") {
            // The path leads to the field: what has no such field is above it.
            path.truncate(path.rfind('.').unwrap_or(0));
        }
        let path = if path == "." { String::new() } else { path };
        Wrong { path, reason, is_negative: is_negative(&inner) }
    })
}

/// Whether serde refused a negative number.
fn is_negative(reason: &str) -> bool {
    reason.starts_with("invalid value: integer `-")
}

/// Translates an error of serde into Python's terms.
fn explain<T: DeserializeOwned>(parameters: &Value, path: &Path, reason: &str) -> Reason {
    let mut changed = parameters.clone();
    let Some(place) = at(&mut changed, path) else { return Reason::Other(format!(": {reason}")) };
    let value = std::mem::take(place);
    let got = python(&value);
    if let Some(words) = reason.strip_prefix(INNER) {
        return Reason::Other(words.to_owned());
    }
    if let Some(field) = reason.strip_prefix("unknown field ") {
        let names = quoted(field);
        let (name, known) = names.split_first().map_or(("", &[][..]), |(name, rest)| (*name, rest));
        let hint = nearest(name, known);
        let hint = if hint.is_empty() { format!("; known are {}", listed(known)) } else { hint };
        return Reason::Other(format!(" has no key '{name}'{hint}"));
    }
    if reason.starts_with("must be ") {
        return Reason::Other(format!(" {reason}, got {got}"));
    }
    // The empty name is never allowed, so serde answers it with the list of allowed names.
    if let Some(names) = names_at::<T>(parameters, path) {
        let names = quoted(&names);
        let hint = value.as_str().map(|value| nearest(value, &names[1..])).unwrap_or_default();
        return Reason::Choice { allowed: listed(&names[1..]), value: format!("{got}{hint}") };
    }
    let Some((_, expected)) = reason.rsplit_once("expected ") else {
        return Reason::Other(format!(": {reason}"));
    };
    let kind = match expected {
        "f64" | "f32" if other_object(&value).is_some_and(is_not_finite) => {
            return Reason::Other(format!(" must be finite, got {got}"));
        }
        "f64" | "f32" => "a float",
        "usize" | "u64" | "u32" if is_negative(reason) => "an int of at least 0",
        "usize" | "u64" | "u32" | "i64" if is_too_large(&value) => {
            return Reason::Other(format!(" must be an int below 2**63, got {got}"));
        }
        "usize" | "u64" | "u32" | "i64" | "i8" => "an int",
        "a boolean" => "a bool",
        "a sequence" => "a list",
        _ => "a dict",
    };
    // `changed` holds null, Python's None, in the place of the value.
    let or_none = if serde_json::from_value::<T>(changed).is_ok() { " or None" } else { "" };
    Reason::Other(format!(" must be {kind}{or_none}, got {got}"))
}

/// The allowed names in serde's error for the empty name at `path`; `None` where the value at
/// `path` is not a name.
fn names_at<T: DeserializeOwned>(parameters: &Value, path: &Path) -> Option<String> {
    let mut changed = parameters.clone();
    *at(&mut changed, path)? = Value::String(String::new());
    let error = serde_json::from_value::<T>(changed).err()?.to_string();
    error.strip_prefix("unknown variant ").map(str::to_owned)
}

fn at<'a>(value: &'a mut Value, path: &Path) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, segment| match segment {
        Segment::Map { key } => value.get_mut(key),
        Segment::Seq { index } => value.get_mut(index),
        _ => None,
    })
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// The nearest of some names as a question, if one is near.
fn nearest(name: &str, known: &[&str]) -> String {
    let near = known.iter().map(|&known| (distance(name, known), known)).min();
    match near {
        Some((edits, known)) if edits <= known.len().div_ceil(3) => {
            format!("; did you mean '{known}'?")
        }
        _ => String::new(),
    }
}

/// How many letters must be changed, added or removed (Levenshtein 1966).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let changed = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}

fn is_not_finite(description: &str) -> bool {
    ["nan", "inf", "-inf"].contains(&description)
}

/// Whether a number is whole but no integer of 64 bits.
fn is_too_large(value: &Value) -> bool {
    value.is_f64() && value.as_f64().is_some_and(|value| value.abs() >= 9e18)
}

/// A value as Python writes it.
fn python(value: &Value) -> String {
    if let Some(description) = other_object(value) {
        return description.to_owned();
    }
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{text}'"),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(python).collect::<Vec<_>>().join(", "))
        }
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| format!("'{key}': {}", python(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}
