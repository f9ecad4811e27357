//! A finding, and how it is shown.

use std::fmt::Write as _;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

use super::table::{self, Stage};

/// Version of the layout of the JSON document.
pub const VERSION: u32 = 1;

/// All that doctor has found on a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// Version of the layout of this document.
    pub version: u32,
    /// Name of the stack.
    pub stack: String,
    /// Whether its daemon answers.
    pub is_running: bool,
    /// What could not be looked at, and why.
    pub not_seen: Vec<String>,
    /// What is wrong; the first cause first.
    pub findings: Vec<Finding>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What it is called in docs/troubleshooting.md.
    pub id: String,
    /// Where on the way of a connection it is.
    pub stage: Stage,
    /// Whether connections suffer, or only could.
    pub severity: Severity,
    /// What is wrong here.
    pub what: String,
    /// Why that matters, or where it comes from.
    pub cause: String,
    /// What to do.
    pub remedy: String,
    /// What `--fix` does about it; null where that is for people to decide.
    pub fix: Option<Fix>,
}

/// How bad it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Connections fail, or go where they should not.
    Fault,
    /// Connections work, but less well, or not in every case.
    Warning,
}

/// Something that mends a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fix {
    /// A setting of the kernel.
    Setting {
        /// Its file.
        path: String,
        /// What it should be.
        value: i32,
    },
    /// A command with its arguments.
    Command(Vec<String>),
}

impl Fix {
    pub(super) fn command(words: &[&str]) -> Self {
        Self::Command(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// The same for a shell.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Setting { path, value } => format!("echo {value} > {path}"),
            Self::Command(words) => words.join(" "),
        }
    }
}

impl Finding {
    /// A finding of the table; `what` says where it was found.
    ///
    /// # Panics
    ///
    /// The table has no such entry, which a test of every entry would show.
    pub(super) fn new(id: &str, what: impl Into<String>) -> Self {
        let entry = table::entry(id).expect("every finding is in the table");
        Self {
            id: entry.id.to_owned(),
            stage: entry.stage,
            severity: entry.severity,
            what: what.into(),
            cause: entry.cause.to_owned(),
            remedy: entry.remedy.to_owned(),
            fix: None,
        }
    }

    /// With what to do here.
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: remedy.into(),
            ..self
        }
    }

    /// With what is behind it here.
    pub(super) fn cause(self, cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            ..self
        }
    }

    /// With what `--fix` does.
    pub(super) fn fix(self, fix: Fix) -> Self {
        Self {
            fix: Some(fix),
            ..self
        }
    }
}

/// What is shown to people; nothing for a stack on which nothing is wrong.
#[must_use]
pub fn text(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for (number, finding) in (1..).zip(&diagnosis.findings) {
        let severity = match finding.severity {
            Severity::Fault => "",
            Severity::Warning => "warning: ",
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{number}. {severity}{} [{}]\n   cause:  {}\n   remedy: {}",
            finding.what, finding.id, finding.cause, finding.remedy
        );
        if let Some(fix) = &finding.fix {
            let _ = writeln!(text, "   --fix:  {}", fix.line());
        }
    }
    for not_seen in &diagnosis.not_seen {
        let _ = writeln!(text, "not looked at: {not_seen}");
    }
    text
}

/// The schema of the JSON document.
#[must_use]
pub fn schema() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings
        .into_generator()
        .into_root_schema_for::<Diagnosis>();
    let mut document = schema.to_value();
    document["title"] = "`distributor doctor`".into();
    format!("{document:#}\n")
}
