"""The pages, one file per page or panel, built with NiceGUI. Called by web.app.

Plain HTML elements with our own stylesheet (static/whichpic.css); static/page.js adds keys, drops and focus. All text goes
through elements.py and so through Vue's text interpolation: nothing that a picture, a file name or a model says is markup.
"""
