//! Who may do what to a znode.
