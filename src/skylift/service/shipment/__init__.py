"""Consignments on their way: legs, papers, receipts, discrepancies; stock by depot."""
