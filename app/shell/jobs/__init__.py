"""Long work: what a job is, who runs jobs, and the tasks that become jobs. No streamlit here."""
