"""Which models and texts come with the project, or with an optional package?"""
