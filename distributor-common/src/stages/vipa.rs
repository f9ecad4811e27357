//! From an address to what is known of it as a DVIPA.

use crate::abi::{Called, ServiceKey, Standing};
use crate::tables::Tables;

/// Finds a DVIPA; `None` when it is none, or not on this stack.
#[inline(always)]
pub fn find<T: Tables>(dvipa: Called, tables: &T) -> Option<Standing> {
    let index = tables.service_index(&ServiceKey::of_vipa(dvipa))?;
    Some(tables.vipa(index)?.standing())
}
