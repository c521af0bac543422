//! What the tests that are more than one module share.
