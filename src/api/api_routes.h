/* api_routes.h - what the table of routes (api.c) calls: the endpoints, one a row. */
#ifndef BANTAM_API_API_ROUTES_H
#define BANTAM_API_API_ROUTES_H

#include "api/api_int.h"

err api_chat_completions(api_call *c, fail *f) MUST_CHECK;
err api_completions(api_call *c, fail *f) MUST_CHECK;
err api_decide(api_call *c, fail *f) MUST_CHECK;
err api_rerank(api_call *c, fail *f) MUST_CHECK;
err api_embeddings(api_call *c, fail *f) MUST_CHECK;
err api_model_list(api_call *c, fail *f) MUST_CHECK;
err api_model_get(api_call *c, fail *f) MUST_CHECK;
err api_model_load(api_call *c, fail *f) MUST_CHECK;
err api_model_unload(api_call *c, fail *f) MUST_CHECK;
err api_health(api_call *c, fail *f) MUST_CHECK;
err api_answer_get(api_call *c, fail *f) MUST_CHECK;
err api_task_list(api_call *c, fail *f) MUST_CHECK;
err api_task_get(api_call *c, fail *f) MUST_CHECK;
err api_task_mode(api_call *c, fail *f) MUST_CHECK;
err api_task_ask(api_call *c, fail *f) MUST_CHECK;
err api_task_reply(api_call *c, fail *f) MUST_CHECK;
err api_review_list(api_call *c, fail *f) MUST_CHECK;
err api_review_get(api_call *c, fail *f) MUST_CHECK;
err api_review_claim(api_call *c, fail *f) MUST_CHECK;
err api_review_release(api_call *c, fail *f) MUST_CHECK;
err api_review_answer(api_call *c, fail *f) MUST_CHECK;
err api_review_correct(api_call *c, fail *f) MUST_CHECK;
err api_review_unlearn(api_call *c, fail *f) MUST_CHECK;
err api_request_list(api_call *c, fail *f) MUST_CHECK;
err api_request_get(api_call *c, fail *f) MUST_CHECK;
err api_request_verdict(api_call *c, fail *f) MUST_CHECK;
err api_cost(api_call *c, fail *f) MUST_CHECK;
err api_login(api_call *c, fail *f) MUST_CHECK;
err api_logout(api_call *c, fail *f) MUST_CHECK;
err api_password(api_call *c, fail *f) MUST_CHECK;
err api_me(api_call *c, fail *f) MUST_CHECK;
err api_page(api_call *c, fail *f) MUST_CHECK;
err api_no_icon(api_call *c, fail *f) MUST_CHECK;
err api_messages(api_call *c, fail *f) MUST_CHECK;
err api_messages_count(api_call *c, fail *f) MUST_CHECK;
err api_ollama_chat(api_call *c, fail *f) MUST_CHECK;
err api_ollama_generate(api_call *c, fail *f) MUST_CHECK;
err api_ollama_embed(api_call *c, fail *f) MUST_CHECK;
err api_ollama_embeddings(api_call *c, fail *f) MUST_CHECK;
err api_ollama_tags(api_call *c, fail *f) MUST_CHECK;
err api_ollama_show(api_call *c, fail *f) MUST_CHECK;
err api_ollama_ps(api_call *c, fail *f) MUST_CHECK;
err api_ollama_version(api_call *c, fail *f) MUST_CHECK;
err api_ollama_elsewhere(api_call *c, fail *f) MUST_CHECK;
err api_metrics(api_call *c, fail *f) MUST_CHECK;
err api_ready(api_call *c, fail *f) MUST_CHECK;
err api_live(api_call *c, fail *f) MUST_CHECK;
err api_tokenize(api_call *c, fail *f) MUST_CHECK;
err api_detokenize(api_call *c, fail *f) MUST_CHECK;
err api_description(api_call *c, fail *f) MUST_CHECK;
err api_responses(api_call *c, fail *f) MUST_CHECK;
err api_response_count(api_call *c, fail *f) MUST_CHECK;
err api_response_get(api_call *c, fail *f) MUST_CHECK;
err api_response_delete(api_call *c, fail *f) MUST_CHECK;
err api_response_cancel(api_call *c, fail *f) MUST_CHECK;
err api_response_items(api_call *c, fail *f) MUST_CHECK;
err api_file_add(api_call *c, fail *f) MUST_CHECK;
err api_file_list(api_call *c, fail *f) MUST_CHECK;
err api_file_get(api_call *c, fail *f) MUST_CHECK;
err api_file_content(api_call *c, fail *f) MUST_CHECK;
err api_file_delete(api_call *c, fail *f) MUST_CHECK;
err api_batch_add(api_call *c, fail *f) MUST_CHECK;
err api_batch_list(api_call *c, fail *f) MUST_CHECK;
err api_batch_get(api_call *c, fail *f) MUST_CHECK;
err api_batch_cancel(api_call *c, fail *f) MUST_CHECK;
err api_async_get(api_call *c, fail *f) MUST_CHECK;
err api_async_delete(api_call *c, fail *f) MUST_CHECK;

#endif
