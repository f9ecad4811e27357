//! From an address to what is known of it as a DVIPA.

use crate::abi::{ServiceKey, Standing};
use crate::tables::Tables;
use crate::wire::{Be16, tcp};

/// Finds a DVIPA, given in the order of memory; `None` when it is none, or not on this stack.
#[inline(always)]
pub fn find<T: Tables>(address: u32, tables: &T) -> Option<Standing> {
    let key = ServiceKey::ipv4(address, Be16(0), tcp::PROTOCOL);
    let index = tables.service_index(&key)?;
    Some(tables.vipa(index)?.standing())
}
