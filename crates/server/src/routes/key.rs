//! The header that makes a request idempotent, as routes document it; [`crate::idempotency`] does the rest.

use protocol::limits::MAX_IDEMPOTENCY_KEY_CHARS;
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

/// The key chosen by the client.
pub(crate) const KEY: &str = "Idempotency-Key";

/// Documents that an operation takes a key.
pub(crate) struct IdempotencyKey;

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX_IDEMPOTENCY_KEY_CHARS));
        let key = ParameterBuilder::new()
            .name(KEY)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and \
                     repeat the request with the same key if no response came: the first response is returned again \
                     with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another \
                     request is rejected (422). Responses are kept for a week; errors are not.",
            ))
            .schema(Some(schema));
        vec![key.build()]
    }
}
