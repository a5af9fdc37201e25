"""The lease clock: when a silent pilot has lost its attempts, and how often pilots should call."""

from barnstorm.model.pilots import Clock

# A server busy with nothing but heartbeats of a large fleet would do no work: the period stretches with the fleet.
HEARTBEATS_PER_S = 200.0


def clock(heartbeat_s: float, lease_s: float, live_pilots: int) -> Clock:
    """The periods for a fleet of this size; a lease is never shorter than four heartbeats."""
    stretched = max(heartbeat_s, live_pilots / HEARTBEATS_PER_S)
    return Clock(heartbeat_s=stretched, lease_s=max(lease_s, 4 * stretched))


def is_lost(now: float, seen_at: float, counting_from: float, lease_s: float) -> bool:
    """Whether a pilot unheard since `seen_at` has lost its lease; time before `counting_from` (no server was up) is
    no silence.
    """
    return now - max(seen_at, counting_from) > lease_s
