"""What the pilot's own exit code tells."""

OK = 0
CRASHED = 1
USAGE = 2
REFUSED = 10
NODE = 11
UNREACHABLE = 12
LOST = 13
SIGNALLED = 14

MEANING = {
    OK: "left as it should: no work for a while, drained, told to leave, or its walltime came near",
    CRASHED: "the pilot itself failed; its log says how",
    USAGE: "a wrong or unknown setting",
    REFUSED: "the server refused it: a bad or used-up join token, an unknown queue",
    NODE: "a required check of the node failed",
    UNREACHABLE: "the server could not be reached for too long",
    LOST: "the server no longer knows this pilot; its payloads were killed",
    SIGNALLED: "a signal told it to leave before its work was done",
}
