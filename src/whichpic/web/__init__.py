"""The pages, the HTTP API and the tools for assistants: three ways into the same sessions. Called by cli.

shelf holds the albums, talks the sessions, views what both look like as plain data; api (FastAPI), pages (NiceGUI) and
mcp show them. guard stands before all of it. Needs the extra `web`; nothing below imports this package.
"""
