//! Watches: who wants to hear of what.
