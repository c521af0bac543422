//! zoo.cfg to a typed Config.
