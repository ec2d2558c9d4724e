//! What a caller must bear, in the document: one of two tokens, and the permission that it must have.

use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};

use crate::permission::Permission;

const INTERNAL: &str = "internalToken";
const ACCESS: &str = "accessToken";

/// Says that an operation asks for a permission: as the scope of an access token, and as `x-permission`.
pub fn asks_for(operation: OperationBuilder, permission: Permission) -> OperationBuilder {
    let extension = ExtensionsBuilder::new().add("x-permission", permission.as_str());
    operation
        .security(SecurityRequirement::new(INTERNAL, Vec::<String>::new()))
        .security(SecurityRequirement::new(ACCESS, [permission.as_str()]))
        .extensions(Some(extension.build()))
}

/// Adds the two kinds of tokens to a document's components.
pub fn schemes(components: ComponentsBuilder) -> ComponentsBuilder {
    let internal = ApiKeyValue::with_description(
        "X-Internal-Auth",
        "An internal token of the gateway: for this peer, this method and this path, used once",
    );
    let access = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("at+jwt")
        .description(Some(
            "An access token for this peer; one that is bound to a key comes as `DPoP` with its proof (RFC 9449)",
        ));
    components
        .security_scheme(INTERNAL, SecurityScheme::ApiKey(ApiKey::Header(internal)))
        .security_scheme(ACCESS, SecurityScheme::Http(access.build()))
}
