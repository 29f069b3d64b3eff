--
-- PostgreSQL database dump
--

\restrict z7AhvkvwiXeqRYa6GXS8BWWORXhs3NwwGpgGZYRej1J9NLY4asxSm0ye5hdHYBT

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: app; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.app (
    id bigint NOT NULL,
    name character varying(255)
);


ALTER TABLE public.app OWNER TO postgres;

--
-- Name: embedding; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.embedding (
    id uuid NOT NULL,
    subject_id uuid,
    embedding double precision[] NOT NULL,
    calculator character varying(255) NOT NULL,
    img_id uuid
);


ALTER TABLE public.embedding OWNER TO postgres;

--
-- Name: img; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.img (
    id uuid NOT NULL,
    content bytea NOT NULL
);


ALTER TABLE public.img OWNER TO postgres;

--
-- Name: subject; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.subject (
    id uuid NOT NULL,
    api_key character varying(36),
    subject_name character varying(255)
);


ALTER TABLE public.subject OWNER TO postgres;

--
-- Data for Name: app; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.app (id, name) FROM stdin;
1	COPY public.img (id, content) FROM stdin;
\.


--
-- Data for Name: embedding; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.embedding (id, subject_id, embedding, calculator, img_id) FROM stdin;
00000000-0000-0000-0000-0000000000c9	00000000-0000-0000-0000-000000000001	{0.1,-0.2}	Facenet.Calculator	00000000-0000-0000-0000-000000000065
00000000-0000-0000-0000-0000000000ca	00000000-0000-0000-0000-000000000001	{0.1,-0.2}	Facenet.Calculator	00000000-0000-0000-0000-000000000066
00000000-0000-0000-0000-0000000000cb	00000000-0000-0000-0000-000000000002	{0.1,-0.2}	Facenet.Calculator	00000000-0000-0000-0000-000000000067
00000000-0000-0000-0000-0000000000cc	00000000-0000-0000-0000-000000000003	{0.1,-0.2}	Facenet.Calculator	00000000-0000-0000-0000-000000000068
00000000-0000-0000-0000-00000000012b	00000000-0000-0000-0000-000000000004	{0.1,-0.2}	Facenet.Calculator	\N
\.


--
-- Data for Name: img; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.img (id, content) FROM stdin;
00000000-0000-0000-0000-000000000065	\\x89504e470d0a1a0a0000000d49484452000000080000000808020000004b6d29dc0000001249444154789c636464c00e9870880f52090007cf0011fdd8e3ca0000000049454e44ae426082
00000000-0000-0000-0000-000000000066	\\x89504e470d0a1a0a0000000d49484452000000080000000808020000004b6d29dc0000001149444154789c636462c00e70890f52090008960012fdeef9a40000000049454e44ae426082
00000000-0000-0000-0000-000000000067	\\x89504e470d0a1a0a0000000d49484452000000080000000808020000004b6d29dc0000001249444154789c636466c00e9870880f520900095d0013ecf05de60000000049454e44ae426082
00000000-0000-0000-0000-000000000068	\\x89504e470d0a1a0a0000000d49484452000000080000000808020000004b6d29dc0000001249444154789c636461c00e9870880f5209000a2400145ecc9eb40000000049454e44ae426082
\.


--
-- Data for Name: subject; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.subject (id, api_key, subject_name) FROM stdin;
00000000-0000-0000-0000-000000000001	00000000-0000-0000-0000-000000000384	Alice
00000000-0000-0000-0000-000000000002	00000000-0000-0000-0000-000000000384	Zoë/O'Hara
00000000-0000-0000-0000-000000000003	00000000-0000-0000-0000-000000000384	back\\slash\ttab
00000000-0000-0000-0000-000000000004	00000000-0000-0000-0000-000000000384	Bob
\.


--
-- Name: app app_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.app
    ADD CONSTRAINT app_pkey PRIMARY KEY (id);


--
-- Name: embedding embedding_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.embedding
    ADD CONSTRAINT embedding_pkey PRIMARY KEY (id);


--
-- Name: img img_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.img
    ADD CONSTRAINT img_pkey PRIMARY KEY (id);


--
-- Name: subject subject_api_key_subject_name_key; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.subject
    ADD CONSTRAINT subject_api_key_subject_name_key UNIQUE (api_key, subject_name);


--
-- Name: subject subject_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.subject
    ADD CONSTRAINT subject_pkey PRIMARY KEY (id);


--
-- Name: embedding embedding_img_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.embedding
    ADD CONSTRAINT embedding_img_id_fkey FOREIGN KEY (img_id) REFERENCES public.img(id);


--
-- Name: embedding embedding_subject_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.embedding
    ADD CONSTRAINT embedding_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES public.subject(id) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--

\unrestrict z7AhvkvwiXeqRYa6GXS8BWWORXhs3NwwGpgGZYRej1J9NLY4asxSm0ye5hdHYBT
