//! The engine in a group of several, on networks that lose, repeat and reorder.

mod attacks;
mod chaos;
mod families;
mod membership;
mod networks;
mod simulation;

use super::*;
