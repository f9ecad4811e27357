//! Where the packet path runs, and its return to where somebody has taken it away.

use distributor_common::abi::program;

use super::attach::{Attachment, Interface};
use super::{Dataplane, DataplaneError, object};

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

    /// Whether the packet path still runs on all its interfaces.
    ///
    /// # Errors
    ///
    /// The kernel does not say.
    pub fn is_attached(&mut self) -> Result<bool, DataplaneError> {
        let id = self.program_id()?;
        for attachment in &self.attachments {
            if !attachment.is_intact(id)? {
                return Ok(false);
            }
        }
        Ok(true)
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
            if self.attachments[index].is_intact(id)? {
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
