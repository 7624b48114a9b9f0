//! How many files and sockets the process may have open.

use protocol::limits::{
    MAX_CONNECTIONS, MAX_UNPROVEN_CONNECTIONS, MAX_UNPROVEN_PER_ADDRESS, WANTED_DESCRIPTORS,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Room;

/// Raises the soft limit as far as the hard one allows, and says how many connections fit.
pub(crate) fn raise() -> Room {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit
        .maximum
        .map_or(WANTED_DESCRIPTORS, |hard| hard.min(WANTED_DESCRIPTORS));
    let mut n_descriptors = limit.current.unwrap_or(WANTED_DESCRIPTORS);
    if n_descriptors < wanted {
        let raised = Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => n_descriptors = wanted,
            Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
        }
    }
    let room = room(usize::try_from(n_descriptors).unwrap_or(usize::MAX));
    tracing::info!(
        n_descriptors,
        n_connections = room.all,
        "open files and connections"
    );
    room
}

/// Half of the descriptors are for connections: the others are for the database, stored files and children.
fn room(n_descriptors: usize) -> Room {
    let all = (n_descriptors / 2).clamp(2, MAX_CONNECTIONS);
    let unproven = MAX_UNPROVEN_CONNECTIONS.min(all / 2);
    Room {
        all,
        unproven,
        unproven_per_address: MAX_UNPROVEN_PER_ADDRESS.min(unproven),
    }
}

#[cfg(test)]
mod tests {
    use super::{Room, room};

    #[test]
    fn few_descriptors_leave_room_for_all() {
        let few = Room {
            all: 128,
            unproven: 64,
            unproven_per_address: 64,
        };
        assert_eq!(room(256), few);
        let many = Room {
            all: 8192,
            unproven: 512,
            unproven_per_address: 64,
        };
        assert_eq!(room(1 << 20), many);
        assert_eq!(room(0).unproven, 1);
    }
}
