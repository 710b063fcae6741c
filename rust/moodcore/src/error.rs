//! The error type of the crate.

/// An error. Every message says what is wrong, which value was passed, and what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A hyperparameter is outside its range.
    #[error("{name} must be {allowed}, got {value}")]
    Parameter {
        /// The parameter's name, as the user writes it.
        name: &'static str,
        /// What is allowed, in words.
        allowed: &'static str,
        /// The value found.
        value: String,
    },
    /// A hyperparameter is not one of the allowed names.
    #[error("{name} must be one of {allowed}, got {value}")]
    Choice {
        /// The parameter's name, as the user writes it.
        name: String,
        /// The names that are allowed, in quotes.
        allowed: String,
        /// The value found, and the nearest name.
        value: String,
    },
    /// The hyperparameters could not be read at all: an unknown name or a value of the wrong type.
    #[error("{0}")]
    Configuration(String),
    /// The training or prediction data do not fit together.
    #[error("{0}")]
    Data(String),
    /// The worker threads could not be started.
    #[error("cannot start {threads} worker threads: {reason}")]
    Threads {
        /// Number of threads requested.
        threads: usize,
        /// Error of the operating system.
        reason: String,
    },
    /// There is too little memory.
    #[error("there is too little memory: {:.3} GB more were needed at once", *bytes as f64 / 1e9)]
    Memory {
        /// The size of the allocation that failed.
        bytes: usize,
    },
    /// The caller's monitor asked to stop; the payload is the caller's own reason.
    #[error("stopped by the caller")]
    Stopped(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A parameter error from any displayable value.
    pub(crate) fn parameter(
        name: &'static str,
        allowed: &'static str,
        value: impl std::fmt::Display,
    ) -> Self {
        Error::Parameter { name, allowed, value: value.to_string() }
    }
}
