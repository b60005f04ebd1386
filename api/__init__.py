"""The ledger over HTTP and on the command line. Dependencies point inwards: nothing in `ledger` knows this package."""
