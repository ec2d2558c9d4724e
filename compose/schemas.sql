-- One schema for each full-mode peer, on the first start of the server.
CREATE DATABASE authority_db CHARACTER SET utf8mb4;
CREATE DATABASE leptos_axum_db CHARACTER SET utf8mb4;
CREATE DATABASE leptos_actix_db CHARACTER SET utf8mb4;
GRANT ALL ON authority_db.* TO 'hmac'@'%';
GRANT ALL ON leptos_axum_db.* TO 'hmac'@'%';
GRANT ALL ON leptos_actix_db.* TO 'hmac'@'%';
