//! REST, WebSocket, OpenAPI, auth and the embedded dashboard: the only crate that names axum.
