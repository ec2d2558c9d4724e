//! stub
use accounts::private_api::LinkShown;
pub const POLICY: &str = "default-src 'none'";
pub const STYLE: &str = "";
pub fn login(_n: &str, _e: &str, _r: bool, _x: Option<&str>) -> String {
    String::new()
}
pub fn link(_s: &LinkShown, _t: &str, _x: Option<&str>) -> String {
    String::new()
}
pub fn link_gone() -> String {
    String::new()
}
pub fn message(_s: u16, _t: &str, _x: &str) -> String {
    String::new()
}
