"""The engine: walks a graph of nodes and yields run events. Pure asyncio; everything outside comes in through ports."""
