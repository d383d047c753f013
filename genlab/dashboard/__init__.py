"""The pages and the components they are made of: the only room that knows Streamlit."""
