//! Who calls: the names by which a rule admits a program.

use aya_ebpf::helpers::bpf_get_current_comm;
use aya_ebpf::helpers::generated::{
    bpf_get_current_task, bpf_probe_read_kernel, bpf_probe_read_kernel_str,
};
use distributor_common::ports::{Layout, Name, Rule, layout};

/// Where the kernel keeps what its helpers do not tell; set by the daemon before loading.
#[unsafe(no_mangle)]
static LAYOUT: Layout = [0; layout::FIELDS];

/// Cgroups whose names count: the caller's own and those around it.
const DEPTH: usize = 6;

/// The names of the calling program: its command, and its cgroups from the innermost out.
pub(crate) struct Caller {
    command: Name,
    cgroups: [Name; DEPTH],
}

impl Caller {
    #[inline(always)]
    pub(crate) fn find() -> Self {
        Self {
            command: Name::of_command(&bpf_get_current_comm().unwrap_or_default()),
            cgroups: cgroups(),
        }
    }

    /// Whether one of the names is the rule's job.
    #[inline(always)]
    pub(crate) fn is_admitted(&self, rule: &Rule) -> bool {
        let mut is_it = rule.job.is(self.command);
        for name in self.cgroups {
            is_it |= rule.job.is(name);
        }
        is_it != 0
    }
}

/// A member of the [`Layout`].
#[inline(always)]
pub(crate) fn offset(field: usize) -> u64 {
    let first = (&raw const LAYOUT).cast::<u32>();
    // SAFETY: the field is one of the layout's; it is read as volatile because the daemon has
    // replaced the value that the compiler knows.
    u64::from(unsafe { first.wrapping_add(field).read_volatile() })
}

/// The names of the cgroups; where there are none, and where they are not known, empty ones.
#[inline(always)]
fn cgroups() -> [Name; DEPTH] {
    let mut names = [Name::default(); DEPTH];
    if offset(layout::NODE_NAME) == 0 {
        return names;
    }
    // SAFETY: the helper has no arguments.
    let task = unsafe { bpf_get_current_task() };
    let set = pointer(task + offset(layout::TASK_CGROUPS));
    let cgroup = pointer(set + offset(layout::SET_CGROUP));
    let mut node = pointer(cgroup + offset(layout::CGROUP_NODE));
    for name in &mut names {
        let text = pointer(node + offset(layout::NODE_NAME));
        let mut bytes = [0; 16];
        // SAFETY: the helper writes no more than the array has room for, and zeros when it cannot
        // read.
        unsafe { bpf_probe_read_kernel_str(bytes.as_mut_ptr().cast(), 16, text as *const _) };
        *name = Name::of_cgroup(&bytes);
        node = pointer(node + offset(layout::NODE_PARENT));
    }
    names
}

/// Reads a pointer of the kernel; null where nothing can be read.
#[inline(always)]
fn pointer(from: u64) -> u64 {
    let mut to = 0_u64;
    // SAFETY: the helper writes eight bytes, and zeros when it cannot read.
    unsafe { bpf_probe_read_kernel((&raw mut to).cast(), 8, from as *const _) };
    to
}

/// Whether the socket of a bind takes IPv6 only, as far as the kernel's layout is known.
#[inline(always)]
pub(crate) fn is_v6only(socket: u64) -> bool {
    let mut byte = 0_u8;
    let from = socket + offset(layout::SOCKET_V6ONLY_BYTE);
    // SAFETY: the helper writes one byte, and a zero when it cannot read.
    unsafe { bpf_probe_read_kernel((&raw mut byte).cast(), 1, from as *const _) };
    u64::from(byte) & offset(layout::SOCKET_V6ONLY_MASK) != 0
}

/// The address of something that the kernel gave a pointer to, as a number.
#[inline(always)]
pub(crate) fn number(address: *const core::ffi::c_void) -> u64 {
    // The verifier lets nobody compute with such a pointer, but with what is read from memory.
    pointer((&raw const address) as u64)
}
