//! What becomes of a bind: the first rule of its port that admits the program decides.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::{bpf_set_retval, bpf_setsockopt};
use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid};
use aya_ebpf::programs::SockAddrContext;
use distributor_common::ports::{MAPPED, MAX_RULES_OF_PORT, PortReport, Rule};

use crate::caller::{self, Caller};
use crate::maps::{self, PORT_REPORT};

/// What the hook answers: the bind goes on, or does not.
const ALLOW: i32 = 1;
const REFUSE: i32 = 0;

/// "Permission denied", as z/OS answers; without it the kernel would say `EPERM`.
const EACCES: i32 = 13;

const IPPROTO_TCP: u32 = 6;
const IPPROTO_UDP: u32 = 17;
const SOL_SOCKET: i32 = 1;
const SO_REUSEPORT: i32 = 15;

/// The family of a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4.
    Inet,
    /// IPv6, and IPv4 unless it is for IPv6 only.
    Inet6,
}

/// One bind of a socket of this stack.
struct Bind<'a> {
    ctx: &'a SockAddrContext,
    family: Family,
    port: u16,
    is_udp: bool,
}

/// Decides about a bind.
#[inline(always)]
pub(crate) fn govern(ctx: &SockAddrContext, family: Family) -> i32 {
    if !crate::is_own(ctx) {
        return ALLOW;
    }
    // SAFETY: the context is the one that the kernel called the program with.
    let protocol = unsafe { (*ctx.sock_addr).protocol };
    // SAFETY: as above.
    let port = unsafe { (*ctx.sock_addr).user_port };
    let is_udp = match protocol {
        IPPROTO_TCP => false,
        IPPROTO_UDP => true,
        _ => return ALLOW,
    };
    let bind = Bind {
        ctx,
        family,
        port: u16::from_be(port as u16),
        is_udp,
    };
    let Some(first) = maps::entry(is_udp, bind.port).rule() else {
        return ALLOW;
    };
    match admitting(first) {
        Some(rule) => bind.follow(rule),
        None => bind.refuse(PortReport::REFUSED_JOB),
    }
}

/// The first rule from index `first` that admits the calling program.
#[inline(always)]
fn admitting(first: u32) -> Option<&'static Rule> {
    let mut rule = maps::rule(first)?;
    if rule.has(Rule::ANYBODY) {
        return Some(rule);
    }
    let caller = Caller::find();
    let mut looks = 1;
    loop {
        if rule.has(Rule::ANYBODY) || caller.is_admitted(rule) {
            return Some(rule);
        }
        if !rule.has(Rule::HAS_NEXT) || looks >= MAX_RULES_OF_PORT {
            return None;
        }
        rule = maps::rule(first + looks)?;
        looks += 1;
    }
}

impl Bind<'_> {
    /// Does what the rule says.
    #[inline(always)]
    fn follow(&self, rule: &Rule) -> i32 {
        if rule.has(Rule::NOBODY) {
            return self.refuse(PortReport::REFUSED_RESERVED);
        }
        if rule.has(Rule::SHARED) {
            let on = 1_i32;
            // SAFETY: the context is the kernel's, and the value is as large as is said.
            let done = unsafe {
                bpf_setsockopt(
                    self.ctx.as_ptr(),
                    SOL_SOCKET,
                    SO_REUSEPORT,
                    (&raw const on).cast_mut().cast(),
                    4,
                )
            };
            if done == 0 {
                self.report(PortReport::SHARES);
            }
        }
        match self.family {
            Family::Inet if rule.has(Rule::BIND4) => self.move4(rule),
            Family::Inet6 if rule.has(Rule::BIND6) => self.move6(rule),
            Family::Inet | Family::Inet6 => ALLOW,
        }
    }

    #[inline(always)]
    fn move4(&self, rule: &Rule) -> i32 {
        // SAFETY: the context is valid; only the place of the field is taken.
        let address = unsafe { &raw mut (*self.ctx.sock_addr).user_ip4 };
        // SAFETY: it is a field of the context that the kernel called the program with.
        if unsafe { address.read_volatile() } == 0 {
            // SAFETY: as above, and the kernel lets the program write it.
            unsafe { address.write_volatile(rule.bind4) };
            self.report(PortReport::BOUND);
        }
        ALLOW
    }

    #[inline(always)]
    fn move6(&self, rule: &Rule) -> i32 {
        // SAFETY: the context is valid; only the place of the field is taken.
        let words = unsafe { (&raw mut (*self.ctx.sock_addr).user_ip6) }.cast::<u32>();
        let asked = [0, 1, 2, 3].map(|word| {
            // SAFETY: the four words are fields of the context.
            unsafe { words.wrapping_add(word).read_volatile() }
        });
        let is_any = asked[0] | asked[1] | asked[3] == 0 && (asked[2] == 0 || asked[2] == MAPPED);
        if !is_any {
            return ALLOW;
        }
        if rule.bind6[0] | rule.bind6[1] == 0 && rule.bind6[2] == MAPPED && self.is_v6only() {
            return self.refuse(PortReport::REFUSED_V6ONLY);
        }
        for word in 0..4 {
            // SAFETY: as above, and the kernel lets the program write it.
            unsafe { words.wrapping_add(word).write_volatile(rule.bind6[word]) };
        }
        self.report(PortReport::BOUND);
        ALLOW
    }

    #[inline(always)]
    fn is_v6only(&self) -> bool {
        // SAFETY: the context is valid; only the place of the field is taken.
        let field = unsafe { &raw const (*self.ctx.sock_addr).__bindgen_anon_1 };
        // SAFETY: in this context the field is a pointer to the socket.
        let socket = unsafe { field.cast::<*const core::ffi::c_void>().read_volatile() };
        caller::is_v6only(caller::number(socket))
    }

    #[inline(always)]
    fn refuse(&self, why: u16) -> i32 {
        self.report(why);
        // SAFETY: the helper takes a number. Where it fails, the caller is told `EPERM`.
        unsafe { bpf_set_retval(-EACCES) };
        REFUSE
    }

    #[inline(always)]
    fn report(&self, what: u16) {
        let report = PortReport {
            process: (bpf_get_current_pid_tgid() >> 32) as u32,
            user: bpf_get_current_uid_gid() as u32,
            what,
            port: self.port,
            is_udp: u32::from(self.is_udp),
            command: bpf_get_current_comm().unwrap_or_default(),
        };
        let _ = PORT_REPORT.output::<PortReport>(&report, 0);
    }
}
