"""The Batch API: half the price, within a day. Knows neither LlamaIndex nor any file but its own.

items ─ writer ─▶ jobs on disk ─ journal ─ queue ─▶ jobs on the service ─ lines ─ results ─▶ cache
"""
