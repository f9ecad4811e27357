//! A profile with everything that it includes, to be read elsewhere.
//!
//! Whoever may read the files need not be who reads the profile: the one
//! collects the texts, the other finds in them what the one found, failures
//! included, and looks nowhere else.

use serde::{Deserialize, Serialize};

use super::include::{Operand, ReadError, Reader, Text};
use super::load;
use super::symbols::Symbol;

/// A profile and the texts that it includes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    profile: Text,
    included: Vec<Included>,
}

/// What an INCLUDE was answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Included {
    operand: Operand,
    including: String,
    found: Result<Text, ReadError>,
}

impl Texts {
    /// Collects what `profile` includes from `reader`, as far as it can be read.
    pub fn collect(profile: Text, reader: &mut dyn Reader) -> Self {
        let mut collector = Collector {
            reader,
            included: Vec::new(),
        };
        // What is wrong with it is for the one to say who reads it in earnest.
        load(profile.clone(), &mut collector);
        Self {
            profile,
            included: collector.included,
        }
    }

    /// The profile as whoever collected it named it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.profile.name
    }

    /// Returns the profile's own text, and what finds the others; `symbols` is asked for the values
    /// of system symbols, and for nothing else.
    pub fn open<R: Reader>(self, symbols: R) -> (Text, impl Reader) {
        let included = self.included;
        (self.profile, Carried { included, symbols })
    }
}

struct Collector<'a> {
    reader: &'a mut dyn Reader,
    included: Vec<Included>,
}

impl Reader for Collector<'_> {
    fn read(&mut self, operand: &Operand, including: &str) -> Result<Text, ReadError> {
        let found = self.reader.read(operand, including);
        self.included.push(Included {
            operand: operand.clone(),
            including: including.to_owned(),
            found: found.clone(),
        });
        found
    }

    fn symbol(&self, name: &str) -> Option<Symbol> {
        self.reader.symbol(name)
    }
}

struct Carried<R> {
    included: Vec<Included>,
    symbols: R,
}

impl<R: Reader> Reader for Carried<R> {
    fn symbol(&self, name: &str) -> Option<Symbol> {
        self.symbols.symbol(name)
    }

    fn read(&mut self, operand: &Operand, including: &str) -> Result<Text, ReadError> {
        let mut included = self.included.iter();
        included
            .find(|included| included.operand == *operand && included.including == including)
            .map_or_else(
                || {
                    Err(ReadError {
                        message: "the text was not sent along".to_owned(),
                        help: "send it along with the text that includes it".to_owned(),
                    })
                },
                |included| included.found.clone(),
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has one member.
    struct OneMember;

    impl Reader for OneMember {
        fn read(&mut self, operand: &Operand, _including: &str) -> Result<Text, ReadError> {
            match operand {
                Operand::Path(path) if path == "/dvipa" => Ok(text(
                    "/dvipa",
                    "VIPADYNAMIC VIPADEFINE 255.255.255.0 10.1.3.10 ENDVIPADYNAMIC",
                )),
                Operand::Path(_) | Operand::Member { .. } | Operand::Name(_) => Err(ReadError {
                    message: "there is no such file".to_owned(),
                    help: "look elsewhere".to_owned(),
                }),
            }
        }
    }

    fn text(name: &str, content: &str) -> Text {
        Text {
            name: name.to_owned(),
            identity: name.to_owned(),
            bytes: content.as_bytes().to_vec(),
        }
    }

    #[test]
    fn what_is_carried_reads_like_what_was_collected() {
        let own = "IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 3";
        for include in ["INCLUDE /dvipa", "INCLUDE /elsewhere"] {
            let profile = text("profile", &format!("{own}\n{include}\n"));
            let here = load(profile.clone(), &mut OneMember);
            let texts = Texts::collect(profile, &mut OneMember);
            let json = serde_json::to_string(&texts).expect("JSON");
            let texts: Texts = serde_json::from_str(&json).expect("texts");
            let (profile, mut reader) = texts.open(OneMember);
            let there = load(profile, &mut reader);
            assert_eq!(there.config, here.config);
            assert_eq!(there.diagnostics, here.diagnostics);
            assert_eq!(there.config.is_some(), include.ends_with("dvipa"));
        }
    }
}
