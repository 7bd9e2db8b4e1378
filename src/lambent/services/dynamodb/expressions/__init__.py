"""The expression language: lexer, parsers, and what parsed expressions do to items.

text → lexer → tokens → parser → syntax tree (cached by text)
     → bound to the request's names and values → evaluated against items
"""
