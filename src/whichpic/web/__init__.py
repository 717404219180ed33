"""The pages, the HTTP API and the tools for assistants: three ways into the same sessions. Called by cli.

Below all three: shelf (the albums, and their indexing), talk (one session that several use) and talks (all of them), desk
(who works when), views (what all of it looks like as plain data), texts (what pages say). exporting makes files of a session.
    server      serving (its life), site (all that it has), app (put together), guard with limits and headers (who comes in,
                how often, and what browsers are told), faults (pages that say what went wrong)
    API         api, api_albums, api_pictures, api_sessions, api_questions, api_ask; api_errors (statuses), api_uploads
    assistants  mcp
    pages       pages/, over album_words and album_filters (what an album has to say and to filter), kept
                (sessions that were kept), reports, steps and seen (replays), chats and chat_log (talking with models)

Needs the extra `web`; nothing below imports this package.
"""
