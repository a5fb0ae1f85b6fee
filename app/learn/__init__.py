"""Learn pages: the lesson, the glossary, and the page for teachers."""
