//! The listeners of shared ports: who they are, whose turn it is, and which clients keep theirs.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{BPF_NOEXIST, bpf_sk_lookup};
use aya_ebpf::helpers::generated::{
    bpf_get_socket_cookie, bpf_ktime_get_coarse_ns, bpf_map_lookup_elem, bpf_sk_assign,
    bpf_sk_release,
};
use aya_ebpf::programs::{SkLookupContext, SockOpsContext};
use distributor_common::hash;
use distributor_common::ports::{
    ClientKey, KeptListener, ListenerKey, Listeners, MAX_SLOTS, PortReport, RecentTurn, Share,
    ShareKey, give_kept, mapped, take_turn,
};
use distributor_common::watch::AF_INET;

use crate::maps::{self, CLIENTS, KEEPING, LISTENERS, ORDERS, PORT_REPORT, SHARES};

/// What `hand_out` answers: the socket that it assigned, or else the kernel's own look-up.
const PASS: u32 = 1;

const IPPROTO_TCP: u32 = 6;

/// The socket is the one, whatever group it shares a port with (`linux/bpf.h`).
const BPF_SK_LOOKUP_F_NO_REUSEPORT: u64 = 2;

/// A share without listeners, as many zeros; too large for a program's stack.
static NEW_SHARE: [u64; size_of::<Share>() / 8] = [0; size_of::<Share>() / 8];

/// Takes note of a socket that begins to listen.
#[inline(always)]
pub(crate) fn note(ctx: &SockOpsContext) {
    let port = ctx.local_port();
    if !maps::entry(false, port as u16).is_shared() {
        return;
    }
    let share = ShareKey {
        address: if ctx.family() == AF_INET {
            mapped(ctx.local_ip4())
        } else {
            // SAFETY: the context is valid; only the place of the field is taken.
            words(unsafe { &raw const (*ctx.ops).local_ip6 })
        },
        port,
    };
    insert(ctx, share);
    // Whether that has gone well is seen by the daemon when it compares.
    let report = PortReport {
        what: PortReport::LISTENS,
        port: port as u16,
        ..PortReport::default()
    };
    let _ = PORT_REPORT.output::<PortReport>(&report, 0);
}

#[inline(always)]
fn insert(ctx: &SockOpsContext, key: ShareKey) {
    if SHARES.get_ptr(key).is_none() {
        let new = (&raw const NEW_SHARE).cast::<Share>();
        // SAFETY: a share of zeros is one without listeners.
        // Where another CPU was faster, its share serves as well.
        let _ = SHARES.insert(key, unsafe { &*new }, u64::from(BPF_NOEXIST));
    }
    let Some(share) = SHARES.get_ptr(key) else {
        return;
    };
    let mut slot = 0;
    while slot < MAX_SLOTS {
        let key = ListenerKey {
            share: key,
            slot: slot as u32,
        };
        // SAFETY: the context is the one that the kernel called this program with.
        let done = LISTENERS.update(key, unsafe { &mut *ctx.ops }, u64::from(BPF_NOEXIST));
        if done.is_ok() {
            // SAFETY: as above.
            let cookie = unsafe { bpf_get_socket_cookie(ctx.as_ptr()) };
            // SAFETY: the kernel's maps live as long as the program runs.
            unsafe { &*share }.note(slot, cookie);
            return;
        }
        slot += 1;
    }
}

/// Gives a new connection to the listener whose turn it is.
#[inline(always)]
pub(crate) fn hand_out(ctx: &SkLookupContext) -> u32 {
    let asked: *const bpf_sk_lookup = ctx.lookup;
    // SAFETY: the context is the one that the kernel called this program with.
    let protocol = unsafe { (*asked).protocol };
    // SAFETY: as above.
    let port = unsafe { (*asked).local_port };
    if protocol != IPPROTO_TCP || !maps::entry(false, port as u16).is_in_turn() {
        return PASS;
    }
    // SAFETY: as above.
    let (address, remote) = if unsafe { (*asked).family } == AF_INET {
        // SAFETY: as above.
        let local = unsafe { (*asked).local_ip4 };
        // SAFETY: as above.
        let remote = unsafe { (*asked).remote_ip4 };
        (mapped(local), mapped(remote))
    } else {
        // SAFETY: the context is valid; only the place of the field is taken.
        let local = unsafe { &raw const (*asked).local_ip6 };
        // SAFETY: as above.
        let remote = unsafe { &raw const (*asked).remote_ip6 };
        (words(local), words(remote))
    };
    // SAFETY: as above.
    let remote_port = unsafe { (*asked).remote_port };
    let connection = connection(address, port, remote, remote_port);
    let service = ShareKey { address, port };
    let client = ClientKey {
        client: remote,
        service,
    };
    let client = KEEPING.get_ptr(service).map(|_| &client);
    // A listener on the address goes before those on every address, as without this program.
    if !turn(ctx, service, connection, client) {
        let every = ShareKey {
            address: [0; 4],
            port,
        };
        turn(ctx, every, connection, client);
    }
    PASS
}

/// Hashes a connection; seeds would only hide who has whose turn.
#[inline(always)]
fn connection(local: [u32; 4], port: u32, remote: [u32; 4], remote_port: u16) -> u64 {
    let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let ports = port << 16 | u32::from(remote_port);
    let outer = hash::offer(pair(remote[0], remote[1]), ports, 0);
    let inner = hash::offer(pair(remote[2], remote[3]), local[3], 0);
    outer.rotate_left(17) ^ inner ^ pair(local[0] ^ local[2], local[1])
}

/// Gives the connection to the listener that its client keeps, or else to the next one of the share;
/// says whether there is one.
#[inline(always)]
fn turn(ctx: &SkLookupContext, key: ShareKey, connection: u64, client: Option<&ClientKey>) -> bool {
    let Some(share) = SHARES.get_ptr(key) else {
        return false;
    };
    // SAFETY: the kernel's maps live as long as the program runs.
    let share = unsafe { &*share };
    let mut sockets = Sockets {
        ctx,
        key: ListenerKey {
            share: key,
            slot: 0,
        },
        held: core::ptr::null_mut(),
    };
    // SAFETY: the helper has no arguments.
    let now_ns = unsafe { bpf_ktime_get_coarse_ns() };
    let recent = maps::turn(connection);
    if let Some(recent) = recent
        && let Some(slot) = RecentTurn::of(recent.load()).slot(connection, now_ns)
        && sockets.hold(slot)
        && sockets.give()
    {
        return true;
    }
    let kept = client.and_then(|client| {
        // SAFETY: the map gave the address, and its values are words that may be shared.
        let kept = unsafe { &*CLIENTS.get_ptr(client)? };
        give_kept(share, kept, &mut sockets, now_ns)
    });
    let given = kept.or_else(|| {
        let slot =
            by_number(share, key, &mut sockets).or_else(|| take_turn(share, &mut sockets))?;
        if let Some(client) = client {
            let kept = KeptListener::words(share, slot, now_ns);
            // SAFETY: a kept listener is these three words.
            let kept = unsafe { &*(&raw const kept).cast::<KeptListener>() };
            // Without room the client is given its turn again.
            let _ = CLIENTS.insert(client, kept, 0);
        }
        Some(slot)
    });
    let Some(slot) = given else {
        return false;
    };
    share.count(sockets.slot());
    if let Some(recent) = recent {
        recent.store(RecentTurn::new(connection, slot, now_ns).word());
    }
    true
}

/// Gives the connection to the listener in the next place of the order that there may be.
#[inline(always)]
fn by_number(share: &Share, key: ShareKey, sockets: &mut Sockets<'_>) -> Option<u64> {
    let order = ORDERS.get_ptr(key)?;
    // SAFETY: the map gave the address; an order is replaced as a whole, and its memory is not reused
    // before the program has ended. It is made of words that may be shared.
    let slot = unsafe { &*order }.take_number(share)?;
    (sockets.hold(slot) && sockets.give()).then_some(slot)
}

/// The sockets of one share, one held at a time.
struct Sockets<'a> {
    ctx: &'a SkLookupContext,
    key: ListenerKey,
    held: *mut core::ffi::c_void,
}

impl Sockets<'_> {
    /// The slot that was looked at last, as the verifier knows it: what the compiler knows of its bounds, it
    /// does not check.
    #[inline(always)]
    fn slot(&self) -> u64 {
        // SAFETY: it is a field of this value.
        u64::from(unsafe { (&raw const self.key.slot).read_volatile() })
    }
}

impl Listeners for Sockets<'_> {
    #[inline(always)]
    fn hold(&mut self, slot: u64) -> bool {
        self.key.slot = slot as u32;
        let map = (&raw const LISTENERS).cast_mut().cast();
        // SAFETY: map and key are of the kind that the helper expects.
        self.held = unsafe { bpf_map_lookup_elem(map, (&raw const self.key).cast()) };
        !self.held.is_null()
    }

    #[inline(always)]
    fn give(&mut self) -> bool {
        // SAFETY: the context is the kernel's, and the socket is held.
        let done =
            unsafe { bpf_sk_assign(self.ctx.as_ptr(), self.held, BPF_SK_LOOKUP_F_NO_REUSEPORT) };
        self.release();
        // One that takes only the other family is passed over.
        done == 0
    }

    #[inline(always)]
    fn release(&mut self) {
        // SAFETY: the socket is held, and not used after this.
        unsafe { bpf_sk_release(self.held) };
    }
}

/// Reads an IPv6 address of a context, of which the kernel gives one word at a time.
#[inline(always)]
fn words(address: *const [u32; 4]) -> [u32; 4] {
    let first = address.cast::<u32>();
    [0, 1, 2, 3].map(|word| {
        // SAFETY: the four words are fields of the context that the kernel called the program with.
        unsafe { first.wrapping_add(word).read_volatile() }
    })
}
