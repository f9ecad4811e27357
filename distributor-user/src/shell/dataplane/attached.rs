//! Where the packet path runs, and its return to where somebody has taken it away.

use std::path::PathBuf;

use distributor_common::abi::program;

use super::attach::{self, Attachment, Interface};
use super::{Dataplane, DataplaneError, object, origin};

/// What is to be attached where, for who looks on another thread: the kernel answers under its lock of
/// all interfaces, for which the daemon must not wait.
#[derive(Debug, Default)]
pub struct Lookout {
    places: Vec<Place>,
}

/// Where a program is attached, and its id.
#[derive(Debug)]
pub(super) enum Place {
    Interface(Interface, u32),
    Link(PathBuf, u32),
}

impl Lookout {
    pub(super) fn new(places: impl IntoIterator<Item = Place>) -> Self {
        Self {
            places: places.into_iter().collect(),
        }
    }

    /// Whether everything still runs where it was attached.
    ///
    /// # Errors
    ///
    /// The kernel does not say.
    pub fn is_intact(&self) -> Result<bool, DataplaneError> {
        for place in &self.places {
            let is_intact = match place {
                Place::Interface(interface, id) => attach::runs_on(interface, *id)?,
                Place::Link(pin, id) => origin::running(pin)? == Some(*id),
            };
            if !is_intact {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Dataplane {
    /// Attaches the packet path to one more interface; nothing happens if it runs there already.
    ///
    /// # Errors
    ///
    /// The interface is not there, or runs another's program.
    pub fn attach(&mut self, interface: &Interface) -> Result<(), DataplaneError> {
        let is_same = |attachment: &Attachment| attachment.interface.ifindex == interface.ifindex;
        if self.attachments.iter().any(is_same) {
            return Ok(());
        }
        let program = object::program_mut(&mut self.object, program::DISTRIBUTE)?;
        let attachment = Attachment::establish(program, interface, &self.pin_dir)?;
        self.attachments.push(attachment);
        Ok(())
    }

    /// What to look at to know whether the packet path still runs on all its interfaces.
    ///
    /// # Errors
    ///
    /// The kernel does not tell the program's id.
    pub fn lookout(&mut self) -> Result<Lookout, DataplaneError> {
        let id = self.program_id()?;
        let places = self.attachments.iter();
        let places = places.map(|attachment| Place::Interface(attachment.interface.clone(), id));
        Ok(Lookout::new(places))
    }

    /// Attaches the packet path again wherever somebody has detached or replaced it, and returns
    /// these interfaces. An interface that is gone is forgotten.
    ///
    /// # Errors
    ///
    /// Another program is there now, or the kernel refuses; the interface stays in
    /// [`Dataplane::interfaces`], so that the next call tries again.
    pub fn reattach(&mut self) -> Result<Vec<Interface>, DataplaneError> {
        let id = self.program_id()?;
        let mut repaired = Vec::new();
        for index in (0..self.attachments.len()).rev() {
            if attach::runs_on(&self.attachments[index].interface, id)? {
                continue;
            }
            let interface = self.attachments[index].interface.clone();
            let program = object::program_mut(&mut self.object, program::DISTRIBUTE)?;
            match Attachment::establish(program, &interface, &self.pin_dir) {
                Ok(attachment) => {
                    self.attachments[index] = attachment;
                    repaired.push(interface);
                }
                Err(DataplaneError::NoInterface { name, ifindex }) => {
                    tracing::warn!(name, ifindex, "the interface is gone");
                    self.attachments.remove(index).remove()?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(repaired)
    }
}
