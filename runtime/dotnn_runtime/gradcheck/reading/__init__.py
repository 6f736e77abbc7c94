"""What can be read off a script: its text, its statements, its functions as modules. Nothing here checks anything."""
