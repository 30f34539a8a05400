"""The arithmetic of quality: intervals, the detector, signed prediction ids. No I/O, no clock, no chance."""
