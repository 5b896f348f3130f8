"""What a task tells at its end."""
