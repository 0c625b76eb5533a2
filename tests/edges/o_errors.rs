//! Errors name the thing in the words of who reads them.
