"""The vault: data keys, and what they encrypt. Destroying a data key erases all that it encrypted."""
