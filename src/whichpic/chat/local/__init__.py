"""Models in this process, by transformers: `open_local` and the Chat it gives. Called by chat.open_chat.

families says what is known and how it is fed, loading brings weights here, precision fits them into memory, inputs makes
tokens and arrays of messages, decoding draws replies, scoring weighs given ones.
"""
