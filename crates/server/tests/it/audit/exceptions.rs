//! Routes without an entry of their own in the test of all routes, each with the reason.

/// Routes that change something and write nothing, and why that is right.
pub(super) const EXEMPT: &[(&str, &str)] = &[
    (
        "PATCH /api/v1/datasets/{id}/items/{item_id}",
        "captions are saved while they are typed",
    ),
    (
        "POST /api/v1/datasets/{id}/check",
        "keeps what it has measured, and changes nothing else",
    ),
    ("POST /api/v1/jobs/estimate", "changes nothing"),
    ("POST /api/v1/prompts/count", "changes nothing"),
    ("POST /api/v1/drawing-sessions/prices", "changes nothing"),
    ("POST /api/v1/recipes/import", "changes nothing"),
    ("POST /api/v1/clean-up/preview", "changes nothing"),
    (
        "POST /api/v1/agent/claim",
        "a machine's work; the job's events tell of it",
    ),
    (
        "POST /api/v1/agent/attempts/{id}/heartbeat",
        "a machine's work; the job's events tell of it",
    ),
    (
        "POST /api/v1/agent/attempts/{id}/artifacts",
        "a machine's work; the job's events tell of it",
    ),
    (
        "POST /api/v1/agent/attempts/{id}/artifacts/{artifact_id}/complete",
        "a machine's work; the job's events tell of it",
    ),
    (
        "POST /api/v1/agent/attempts/{id}/unusable",
        "a machine's work; the job's events tell of it",
    ),
    (
        "POST /api/v1/agent/attempts/{id}/finish",
        "a machine's work; the job's events tell of it",
    ),
];

/// Routes that need more of the world than this test has, and the test that looks at their entries.
pub(super) const ELSEWHERE: &[(&str, &str)] = &[
    (
        "POST /api/v1/registered-base-models/{name}/copy",
        "the orchestrator's tests of base models",
    ),
    (
        "POST /api/v1/drawing-sessions",
        "the orchestrator's tests of drawing sessions",
    ),
    (
        "POST /api/v1/drawing-sessions/{id}/end",
        "the orchestrator's tests of drawing sessions",
    ),
    (
        "POST /api/v1/providers/{name}/resume",
        "the orchestrator's tests of rentals",
    ),
    (
        "POST /v1/images/generations",
        "the tests of routes in OpenAI's shape",
    ),
];
