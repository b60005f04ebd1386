"""Bytes and trees: strict encodings, hashes' tags, Merkle and Patricia trees."""
