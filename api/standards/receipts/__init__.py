"""Receipts for people: what a customer agreed to, in the words of published receipt standards (docs/standards/receipts.md).

They inform; they prove nothing by themselves. Each event in them names the entry, and the address of the entry's provable
receipt, which does.
"""
