//! What an e-mail address is, as far as the library goes.

/// The longest address.
const MOST: usize = 254;

/// Whether a text is one e-mail address: neither a list of them, nor one with a name beside it, nor anything that ends a
/// header of a mail. Whether somebody reads it there, nobody can tell from its letters.
pub fn is_email_address(text: &str) -> bool {
    let plain = |c: char| !(c.is_whitespace() || c.is_control() || ",;:<>()[]\\\"".contains(c));
    let is_one = text
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    is_one && text.chars().all(plain) && text.len() <= MOST
}
