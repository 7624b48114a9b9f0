// Generated from crates/server/openapi.json by `npm run generate`. Do not edit.
export interface paths {
    "/api/v1/agent/attempts/{id}/artifacts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Announce a file to upload */
        post: operations["create_artifact"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/attempts/{id}/artifacts/{artifact_id}/complete": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Confirm that a file is uploaded */
        post: operations["complete_artifact"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/attempts/{id}/finish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End an attempt */
        post: operations["finish"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/attempts/{id}/heartbeat": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Renew the lease, deliver events, receive orders */
        post: operations["heartbeat"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/attempts/{id}/unusable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report a file of the assignment as lost, damaged or unusable
         * @description The server checks the file itself and replies what to do without it.
         */
        post: operations["report_unusable"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/claim": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Claim work, waiting until there is some */
        post: operations["claim"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List audit log entries, newest first
         * @description Entries are kept for a year unless the server's settings say otherwise.
         */
        get: operations["list_audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/base-models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List base models that jobs and generations can use */
        get: operations["list_base_models"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/caption-endpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List endpoints that describe pictures */
        get: operations["list_caption_endpoints"];
        put?: never;
        /**
         * Add an endpoint that describes pictures
         * @description An OpenAI-compatible API with a model that accepts pictures, such as Ollama, vLLM, llama.cpp or a service. Its URL and key
         *     are never returned. Private addresses need `--allow-fetch-from`.
         */
        post: operations["create_caption_endpoint"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/caption-endpoints/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete an endpoint that describes pictures
         * @description Runs that need it still fail. Their proposals stay.
         */
        delete: operations["delete_caption_endpoint"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/caption-endpoints/{id}/tests": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Try an endpoint on one picture
         * @description Changes nothing. The response has what the model says, or why it did not answer.
         */
        post: operations["try_caption_endpoint"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clean-up": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Clean up by rules
         * @description What the rules name is deleted as `POST /trash` does, and can be brought back.
         */
        post: operations["clean_up"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clean-up/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Show what a clean-up would delete */
        post: operations["preview_clean_up"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List datasets */
        get: operations["list_datasets"];
        put?: never;
        /** Create an empty dataset */
        post: operations["create_dataset"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a dataset */
        get: operations["get_dataset"];
        put?: never;
        post?: never;
        /**
         * Delete a dataset
         * @description Existing jobs keep their frozen copy.
         */
        delete: operations["delete_dataset"];
        options?: never;
        head?: never;
        /** Rename a dataset */
        patch: operations["update_dataset"];
        trace?: never;
    };
    "/api/v1/datasets/{id}/acknowledgements": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Acknowledge findings
         * @description A finding that is acknowledged says so as long as the pictures and captions that it is about stay as they are.
         */
        post: operations["acknowledge_findings"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/caption-edits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List edits of captions
         * @description The newest first; the last 50 are kept.
         */
        get: operations["list_caption_edits"];
        put?: never;
        /**
         * Edit many captions
         * @description All captions are changed together, or none. With `dry_run`, the response says what would change, and nothing does.
         */
        post: operations["edit_captions"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/caption-edits/{edit_id}/undo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Undo an edit of captions
         * @description Each caption becomes what it was before. A caption that was changed since is never overwritten: it is a conflict (409),
         *     or is left as it is with `skip_changed`.
         */
        post: operations["undo_caption_edit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/caption-runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List runs that describe pictures
         * @description The newest first. The last 20 are kept.
         */
        get: operations["list_caption_runs"];
        put?: never;
        /**
         * Describe pictures
         * @description A model is asked about each picture, and its answers are kept as proposals: no caption changes until somebody accepts
         *     them. One run at a time for each dataset.
         */
        post: operations["create_caption_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/caption-runs/{run_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a run that describes pictures */
        get: operations["get_caption_run"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/caption-runs/{run_id}/accept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Accept proposed captions
         * @description Each becomes the caption of its picture, if the picture still has the caption beside which it was proposed; others stay
         *     open. The captions that were changed are one edit, which can be undone.
         */
        post: operations["accept_captions"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/caption-runs/{run_id}/dismiss": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Dismiss proposed captions */
        post: operations["dismiss_captions"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/caption-runs/{run_id}/proposals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List proposed captions
         * @description In the order of the pictures, with those that were accepted, dismissed or failed.
         */
        get: operations["list_caption_proposals"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/caption-runs/{run_id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop a run that describes pictures
         * @description Its proposals stay.
         */
        post: operations["stop_caption_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check a dataset
         * @description Finds what is wrong with pictures and captions for a purpose, with a repair for each. The same checks are made for a
         *     job's estimate and by `morpheus dataset check` and `morpheus train`. Changes nothing but what is known of pictures that
         *     an older version took: some of them are measured with each request.
         */
        post: operations["check_dataset"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export a dataset
         * @description A zip archive of the pictures as they are stored, with captions and masks, laid out for another trainer. An upload of it
         *     brings the same pictures, captions, masks, groups, repeats and uses again. A download that breaks off leaves no archive.
         */
        get: operations["export_dataset"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/groups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change how often all pictures of groups are shown, and as what
         * @description All changes are made together, or none.
         */
        patch: operations["update_groups"];
        trace?: never;
    };
    "/api/v1/datasets/{id}/items": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List a dataset's pictures, in upload order */
        get: operations["list_items"];
        put?: never;
        /**
         * Upload pictures and captions
         * @description Each file is accepted or rejected individually; the response lists every rejected file with the reason.
         */
        post: operations["upload_items"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/items/{item_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Delete a picture */
        delete: operations["delete_item"];
        options?: never;
        head?: never;
        /** Change a picture's caption or use */
        patch: operations["update_item"];
        trace?: never;
    };
    "/api/v1/datasets/{id}/items/{item_id}/mask": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The loss mask of a picture
         * @description White where the picture is learned, black where it is not. Only a mask picture is one; a picture's own alpha is not.
         */
        get: operations["get_mask"];
        put?: never;
        post?: never;
        /**
         * Delete the loss mask of a picture
         * @description The picture stays. Versions that jobs have frozen keep the mask.
         */
        delete: operations["delete_mask"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/items/{item_id}/panels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Find the panels of a comic page
         * @description Says where panels are, in reading order. Changes nothing.
         */
        get: operations["find_panels"];
        put?: never;
        /**
         * Split a comic page into panels
         * @description Each panel becomes a picture of the dataset, with the caption, the use and the group of its page, which is no longer
         *     trained on as long as it has panels. Panels of an earlier split are replaced, unless their captions were edited since.
         */
        post: operations["split_into_panels"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/{id}/items/{item_id}/thumbnail": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a picture's thumbnail
         * @description Its longest side has at most 384 pixels. It is a JPEG, or a WebP for a picture with transparent areas. It never changes
         *     for the same file of the picture.
         */
        get: operations["get_thumbnail"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/datasets/demo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create a dataset with the demo's pictures
         * @description Sixteen pictures of a drawn character with captions, and sixteen more that are held out: enough to try everything
         *     before uploading pictures of one's own.
         */
        post: operations["create_demo_dataset"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List deliveries
         * @description Notices to webhooks and by mail, the newest first. They are kept for 30 days.
         */
        get: operations["list_deliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries/{id}/send-again": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a notice again
         * @description With the same `webhook-id` and the same body. One that waits is tried at once.
         */
        post: operations["send_again"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/drawing-sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List drawing sessions */
        get: operations["list_drawing_sessions"];
        put?: never;
        /**
         * Rent a machine for pictures
         * @description It costs money from the order until its termination is confirmed, and never more than the limit: the worst case is
         *     reserved in every budget before it is ordered. Send pictures to it with `drawing_session_id`. It is terminated when
         *     nobody has asked for a picture for `idle_minutes`, when the limit is near, or when the session is ended.
         */
        post: operations["create_drawing_session"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/drawing-sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a drawing session */
        get: operations["get_drawing_session"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/drawing-sessions/{id}/end": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End a drawing session
         * @description Its machine is terminated, and pictures that are not drawn yet fail. One that has ended stays as it is.
         */
        post: operations["end_drawing_session"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/drawing-sessions/prices": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Price a machine for pictures
         * @description What such a machine would cost by the hour, and the smallest limit with which one could be rented.
         */
        post: operations["price_drawing_session"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/edits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List edits */
        get: operations["list_edits"];
        put?: never;
        /**
         * Make a file out of LoRAs and base models
         * @description Merges, resizes, extracts or weighs into a new model version, which has no verdict; or converts a LoRA, or merges
         *     LoRAs into a base model, into a file to download.
         */
        post: operations["create_edit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/edits/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get an edit */
        get: operations["get_edit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/edits/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel an edit
         * @description One that has ended stays as it is.
         */
        post: operations["cancel_edit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/edits/{id}/download": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download the file of an edit
         * @description Such files are kept for a week. Supports `Range`. A server with its files in a bucket redirects to a URL there.
         */
        get: operations["download_edit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow all jobs' events
         * @description A WebSocket that sends events from now on: one `AnyJobEvent` in each text message.
         */
        get: operations["all_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/generations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List generations */
        get: operations["list_generations"];
        put?: never;
        /** Generate a picture */
        post: operations["create_generation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/generations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a generation, or wait for its end */
        get: operations["get_generation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/generations/{id}/download": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download the picture
         * @description Its name tells LoRAs and seed; the file has all settings in its metadata. Supports `Range`. A server with its files in a bucket redirects to a URL there.
         */
        get: operations["download_generation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/generations/{id}/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow a generation
         * @description A WebSocket that sends how the generation stands, previews of its picture, and how it has ended: one
         *     `GenerationNews` in each text message. Close codes: 1000 it has ended; 4404 there is no such generation; 4401 the
         *     session or token has ended; 1001 the server shuts down. Previews come from the server that the agent speaks with.
         */
        get: operations["follow_generation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/generations/{id}/thumbnail": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the thumbnail of a generated picture
         * @description Its longest side has at most 384 pixels. It is a JPEG, or a WebP for a picture with transparent areas. It never changes.
         */
        get: operations["get_picture_thumbnail"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List jobs */
        get: operations["list_jobs"];
        put?: never;
        /**
         * Submit a training job
         * @description The current state of the dataset is frozen for the job.
         */
        post: operations["create_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a job */
        get: operations["get_job"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/artifacts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the files kept from a job, in the order they were stored
         * @description The pictures that show what its results were found to be are not among them: its judgements have those.
         */
        get: operations["list_job_artifacts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a job
         * @description Nothing is kept. The request can be repeated safely.
         */
        post: operations["cancel_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/checkpoint": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Store a checkpoint now
         * @description The job continues.
         */
        post: operations["checkpoint_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/dataset-changes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get what changed in a job's dataset since the job was created */
        get: operations["job_dataset_changes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get or follow a job's events
         * @description A plain request returns the stored events after `after`. A WebSocket sends the same and continues
         *     with new ones as they happen: one `JobEvent` in each text message. Close codes: 4404 there is no such
         *     job; 4008 the reader was too slow, reconnect with the last `seq` as `after`; 4401 the session or token has
         *     ended; 1001 the server shuts down.
         */
        get: operations["job_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/finish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Finish a job now
         * @description Its next step is its last: a checkpoint is stored, and the result is checked and becomes a model version as if all steps
         *     had been done. With sd-scripts, it ends with the next checkpoint. The request can be repeated safely.
         */
        post: operations["finish_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/judgements": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get what the results of a job were found to be
         * @description What its result and its checkpoints do to pictures, and which checkpoint to use.
         */
        get: operations["job_judgements"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/limit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Set the cost limit of a job
         * @description A machine that is already running keeps its reservation; the new limit applies from the next one.
         */
        put: operations["set_job_limit"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a job's step metrics, in columns for a chart */
        get: operations["job_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/pictures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the pictures that a job has trained on, those that it struggles with first
         * @description A picture whose loss is higher than usual at the same noise may be mislabeled, or unlike the others. Only the native
         *     engine reports what its steps saw; with sd-scripts, the list is empty.
         */
        get: operations["list_job_pictures"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/recipe": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Write the recipe of a job for another trainer
         * @description What that one has no counterpart for is listed with its value.
         */
        get: operations["job_recipe"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume a stopped or failed job
         * @description It resumes from its newest checkpoint, on a machine of another provider if the body names one. The body is optional.
         */
        post: operations["resume_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/sample": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Render the sample prompts now
         * @description The job continues.
         */
        post: operations["sample_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/samples": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List a job's preview pictures, in the order of their steps */
        get: operations["list_job_samples"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/steps/{step}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get one optimizer step of a job, with the pictures of its batch */
        get: operations["get_job_step"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop a job
         * @description A checkpoint is kept, from which the job can be resumed.
         */
        post: operations["stop_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a model version of a stored checkpoint
         * @description The job may stand anywhere, also if it has ended. The answer is a job of its own, which trains no step: it checks the
         *     LoRA of the checkpoint and makes a version of it.
         */
        post: operations["make_job_version"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/estimate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Estimate a job without creating it */
        post: operations["estimate_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/labels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the stars, tags and notes of jobs, models or generations */
        get: operations["list_labels"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/labels/{kind}/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change the star, tags or note of a job, a model or a generation */
        patch: operations["update_label"];
        trace?: never;
    };
    "/api/v1/lora-copies": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the folder into which approved versions are copied, and the copies
         * @description The folder is that of the setting `--lora-folder`, on the machine of the server that answers.
         */
        get: operations["list_lora_copies"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/mail/tests": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a test mail
         * @description To the addresses of the server's settings.
         */
        post: operations["test_mail"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/model-versions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a model version */
        get: operations["get_model_version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/model-versions/{id}/download": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download the LoRA file
         * @description Its name is that of the model with the number of the version. Supports `Range`. A server with its files in a bucket
         *     redirects to a URL there.
         */
        get: operations["download_model_version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/model-versions/{id}/promote": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Approve a model version for use
         * @description Requires a passed verdict. An imported version has none, and requires `without_verdict`.
         */
        post: operations["promote_model_version"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/model-versions/{id}/retire": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retire a model version
         * @description It is no longer offered in the playground.
         */
        post: operations["retire_model_version"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/model-versions/{id}/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Say how a model version is used
         * @description Replaces what was said before. The playground offers it, and the metadata of downloads can carry it.
         */
        put: operations["set_usage"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List models with their versions */
        get: operations["list_models"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a model with its versions */
        get: operations["get_model"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Rename a model */
        patch: operations["rename_model"];
        trace?: never;
    };
    "/api/v1/models/{id}/choices": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Choose the cover of a model and the version that it is used by
         * @description Replaces what was chosen before.
         */
        put: operations["choose_of_model"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Import a LoRA that was made elsewhere
         * @description Of a PEFT folder, what its `adapter_config.json` says goes into the header of the stored file.
         *
         *     A file of which a part cannot be applied is refused, with what that is, unless `allow_partial` is set. The version has
         *     no verdict: nothing has judged it. It can be used at once. The same file again gives the version that there is.
         */
        post: operations["import_model"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/own-presets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List your own presets */
        get: operations["list_own_presets"];
        put?: never;
        /**
         * Save a preset
         * @description Of a job, it keeps what differs from the preset that the job started from. Without one, it is what the body says: so
         *     the content of a file that somebody shares becomes a preset.
         */
        post: operations["create_own_preset"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/own-presets/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete a preset of your own
         * @description Jobs that were made with it stay as they are.
         */
        delete: operations["delete_own_preset"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/presets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List presets with their parameters for a base model */
        get: operations["list_presets"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/prompts/count": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Count the tokens of prompts
         * @description Says how prompts are read: tokens, chunks of 75 and where they end, the LoRAs that are named, and warnings. Changes
         *     nothing.
         */
        post: operations["count_prompts"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/providers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List providers */
        get: operations["list_providers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/providers/{name}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Resume renting at a provider after a halt */
        post: operations["resume_provider"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/recipes/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Read settings of another trainer
         * @description Takes the TOML or a command line of sd-scripts, the JSON of kohya_ss or OneTrainer, or the YAML of ai-toolkit. What has
         *     no counterpart is listed with its value. Changes nothing.
         */
        post: operations["read_recipe"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/registered-base-models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List registered base models, including those still being checked */
        get: operations["list_registered_bases"];
        put?: never;
        /**
         * Register a base model
         * @description The source is a path on the server's machine, in a folder that its settings allow (`--base-folder`), a URL, an id
         *     on Hugging Face, or an edit that has merged LoRAs into a base model (`edit:ID`), whose file is then kept. URLs in private networks are fetched only if the settings allow them (`--allow-fetch-from`). The
         *     server checks that it is an SDXL
         *     model and hashes it; of one on the web it reads only the header if the hash is known. Machines that train on it
         *     download it from there. What its U-Net predicts is read from its files, unless it is said here; of a file on the
         *     server's machine it is also measured, and a contradiction is among the notes.
         */
        post: operations["register_base"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/registered-base-models/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a registered base model
         * @description Trained models are kept. A base model from the server's settings can only be removed there.
         */
        delete: operations["remove_base"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/registered-base-models/{name}/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check a registered base model again
         * @description Use this after its file has changed or a problem was fixed.
         */
        post: operations["check_base"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/registered-base-models/{name}/copy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Copy a registered base model to the object store
         * @description Every machine can download it from there. Required to train on other machines with files of the server's machine,
         *     and for URLs that only the server can read.
         */
        post: operations["copy_base"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/registered-base-models/{name}/settings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Set what the U-Net of a registered base model predicts, and its VAE
         * @description What is left out is as its files say. The base model is checked again. One from the server's settings can only be
         *     set there.
         */
        put: operations["set_base"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the current session */
        get: operations["session"];
        put?: never;
        post?: never;
        /** Sign this browser out */
        delete: operations["sign_out"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the browsers that are signed in */
        get: operations["list_sessions"];
        put?: never;
        post?: never;
        /**
         * Sign out everywhere
         * @description Ends all sessions, including the one of this request, and revokes unused login addresses. API tokens remain valid.
         */
        delete: operations["sign_out_everywhere"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Sign one browser out */
        delete: operations["end_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/spend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show budgets and rented machines */
        get: operations["get_spend"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/spend/budgets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Set the limit of a project, of all spending, or of this month and later ones */
        put: operations["set_budget"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/spend/ledger": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List ledger entries, newest first, at most 1000 */
        get: operations["list_ledger"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/system": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the state of the server
         * @description Shows whether its disk is low on space, so that uploads are rejected and jobs wait.
         */
        get: operations["get_system"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List API tokens */
        get: operations["list_tokens"];
        put?: never;
        /** Create an API token */
        post: operations["create_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete an API token
         * @description Everything that uses it stops working, and browsers signed in with it are signed out. Tokens that it created stay
         *     valid; the list shows which they are.
         */
        delete: operations["delete_token"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/trash": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List what was deleted and can be brought back, newest first
         * @description At most 500 things. Each can be brought back for seven days; then its rows and files are deleted for good.
         */
        get: operations["list_trash"];
        put?: never;
        /**
         * Delete jobs, models, model versions and generations
         * @description All of them or none. They can be brought back for seven days. Refused with 409: a job, a generation or an edit under way,
         *     what one of these uses, a job whose model version exists, an approved version, and the cover of a model. What was
         *     deleted before stays deleted.
         */
        post: operations["move_to_trash"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/trash/restore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Bring back what was deleted
         * @description All of it or nothing. A model comes back with the versions that were deleted with it, and a version with its model and
         *     its job. What was not deleted stays as it is.
         */
        post: operations["restore_from_trash"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List your webhooks */
        get: operations["list_webhooks"];
        put?: never;
        /**
         * Add a webhook
         * @description It receives a [`Notice`](#/components/schemas/Notice) as JSON with a POST request, signed after Standard Webhooks
         *     (`webhook-id`, `webhook-timestamp`, `webhook-signature`). Each answer but 2xx is tried again for about a day; 410 ends the
         *     webhook. Redirects are not followed. The secret is returned only once.
         */
        post: operations["create_webhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete a webhook
         * @description Its deliveries are deleted with it.
         */
        delete: operations["delete_webhook"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{id}/tests": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Send a test to a webhook */
        post: operations["test_webhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign this browser in
         * @description Exchanges an API token, or the token of a login address, for a session cookie. Requires no other authentication. The
         *     session ends with the token. A login address works once.
         */
        post: operations["log_in"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/images/generations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Draw pictures, in the shape of OpenAI's API
         * @description Waits until all of them are drawn, for at most an hour. They are canceled if the client closes the connection before;
         *     with an `Idempotency-Key` they go on, and the repeated request gets them. What OpenAI's API has and this one has no
         *     use for is accepted (`quality`, `style`, `moderation`, `user`) or refused with the reason. Errors have OpenAI's shape.
         */
        post: operations["create_images"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List what pictures can be drawn with, in the shape of OpenAI's API */
        get: operations["list_image_models"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get something that pictures can be drawn with, in the shape of OpenAI's API */
        get: operations["get_image_model"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description What a finding is about.
         * @enum {string}
         */
        About: "dataset" | "pictures" | "captions";
        /** @description What became of accepted proposals. */
        AcceptedProposals: {
            edit?: components["schemas"]["CaptionEdit"] | null;
            /**
             * Format: int64
             * @description Number of captions that were changed.
             */
            n_accepted: number;
            /**
             * Format: int64
             * @description Number of proposals that stay open, because the caption was changed since or the picture was deleted.
             */
            n_skipped: number;
        };
        /** @description A finding that is acknowledged. */
        AcknowledgedFinding: {
            /** @description See [`Finding::code`]. */
            code: components["schemas"]["FindingCode"];
            /** @description See [`Finding::content`]. */
            content: string;
        };
        /** @description Acknowledges findings for what they are about now. */
        AcknowledgeFindings: {
            /** @description The findings, at most 100. */
            findings: components["schemas"]["AcknowledgedFinding"][];
        };
        /**
         * @description What to do next.
         * @enum {string}
         */
        Advice: "use" | "train_longer" | "train_shorter" | "lower_learning_rate" | "add_pictures" | "improve_captions" | "lower_weight";
        /** @description One event, numbered by the agent. */
        AgentEvent: {
            /**
             * Format: date-time
             * @description When it happened, by the agent's clock.
             */
            at: string;
            /**
             * Format: int64
             * @description 1, 2, 3, … within the attempt; the server stores each number once.
             */
            n: number;
            /** @description What happened. */
            report: components["schemas"]["Report"];
        };
        /** @description An answer to a question. */
        Answer: {
            /** @description What it means for the captions; empty if nothing. */
            captions?: string;
            /** @description What it changes of the preset. */
            parameters: components["schemas"]["ParameterOverrides"];
            /** @description The answer, for a person. */
            text: string;
        };
        /** @description Any job's event, as `WS /api/v1/events` sends it. */
        AnyJobEvent: components["schemas"]["JobEvent"] & {
            /** @description The job. */
            job_id: components["schemas"]["JobId"];
        };
        /** @description An API token, without its secret. */
        ApiToken: {
            /**
             * Format: date-time
             * @description When it was created.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it expires; absent if never.
             */
            expires_at?: string | null;
            /** @description Its id. */
            id: components["schemas"]["TokenId"];
            /**
             * Format: date-time
             * @description When it was last used, to the minute.
             */
            last_used_at?: string | null;
            /** @description What created it, if that was a browser or another token: `browser session (login address)`, `token ci`. */
            made_by?: string | null;
            /** @description What it is for. */
            name: string;
            /** @description Who uses it. */
            scope: components["schemas"]["TokenScope"];
        };
        /** @description A LoRA and how strongly it is applied. */
        AppliedLora: {
            /** @description The LoRA. */
            model_version_id: components["schemas"]["ModelVersionId"];
            /** @description Name of its file without the extension, for the picture's settings. */
            name?: string | null;
            /** @description Whether what of it does not fit the base model may be left out. */
            partial?: boolean;
            /**
             * Format: double
             * @description 0 leaves the base as it is, 1 is what was trained; may be negative.
             */
            weight: number;
        };
        /** @description A file kept from a job. */
        Artifact: components["schemas"]["ArtifactKind"] & {
            /**
             * Format: date-time
             * @description When it was stored.
             */
            created_at: string;
            /** @description File name for downloads. */
            file_name: string;
            /** @description Its id. */
            id: components["schemas"]["ArtifactId"];
            /** @description The job it was kept from. */
            job_id: components["schemas"]["JobId"];
            judgement?: components["schemas"]["Judgement"] | null;
            /** @description SHA-256, in hexadecimal. */
            sha256: string;
            /**
             * Format: int64
             * @description Size.
             */
            size_bytes: number;
            /** @description Signed URL, valid for one hour. */
            url: string;
        };
        /**
         * Format: uuid
         * @description A file kept from a job.
         */
        ArtifactId: string;
        /** @description What a file is. */
        ArtifactKind: {
            /** @enum {string} */
            kind: "sample";
            /** @description The prompt. */
            prompt: string;
            /**
             * Format: int32
             * @description Which of the recipe's sample prompts, from 0.
             */
            prompt_index: number;
            /**
             * Format: int64
             * @description Seed of its starting noise.
             */
            seed: number;
            /**
             * Format: int32
             * @description Optimizer steps done when it was rendered.
             */
            step: number;
        } | {
            /** @enum {string} */
            kind: "checkpoint";
            /**
             * Format: int32
             * @description Optimizer steps done.
             */
            step: number;
        } | {
            /** @enum {string} */
            kind: "lora";
            /**
             * Format: int32
             * @description Optimizer steps done.
             */
            step: number;
        } | {
            /** @enum {string} */
            kind: "picture_before";
        } | {
            /** @enum {string} */
            kind: "picture_after";
        } | {
            /** @enum {string} */
            kind: "picture";
        } | {
            /** @enum {string} */
            kind: "edited";
        } | {
            /** @enum {string} */
            kind: "evidence";
            /** @description Its name in the judgement. */
            name: string;
            /**
             * Format: int32
             * @description Optimizer steps of what was judged.
             */
            step: number;
        };
        /** @description Work that this agent now owns, for as long as it renews the lease by heartbeats. */
        Assignment: {
            /** @description The attempt; part of every later request's path. */
            attempt_id: components["schemas"]["AttemptId"];
            /**
             * Format: int64
             * @description Proves ownership; sent with every later request.
             */
            fence: number;
            /**
             * Format: int32
             * @description The lease ends this long after the last heartbeat that got a reply.
             */
            lease_seconds: number;
            terms?: components["schemas"]["RentalTerms"] | null;
            /** @description What to do. */
            work: components["schemas"]["Work"];
        };
        /**
         * Format: uuid
         * @description One try of a job (or of a generation) on one machine.
         */
        AttemptId: string;
        /**
         * @description What was done.
         * @enum {string}
         */
        AuditAction: "signed_in" | "sign_in_failed" | "signed_out" | "session_ended" | "signed_out_everywhere" | "login_address_made" | "token_made" | "token_deleted" | "dataset_made" | "dataset_renamed" | "dataset_deleted" | "pictures_uploaded" | "picture_deleted" | "mask_deleted" | "page_split" | "groups_changed" | "captions_edited" | "captions_restored" | "caption_run_made" | "caption_run_stopped" | "proposals_accepted" | "proposals_dismissed" | "findings_acknowledged" | "job_made" | "job_cancelled" | "job_stopped" | "job_finished" | "version_asked" | "job_resumed" | "checkpoint_asked" | "samples_asked" | "generation_made" | "preset_saved" | "preset_deleted" | "lora_imported" | "edit_made" | "edit_cancelled" | "version_approved" | "version_retired" | "model_renamed" | "model_chosen" | "usage_set" | "label_changed" | "deleted" | "restored" | "cleaned_up" | "base_registered" | "base_removed" | "base_checked" | "base_copied" | "base_set" | "budget_set" | "job_limit_set" | "drawing_made" | "drawing_ended" | "provider_resumed" | "server_started" | "webhook_made" | "webhook_deleted" | "webhook_disabled" | "webhook_tested" | "mail_tested" | "delivery_repeated" | "caption_endpoint_made" | "caption_endpoint_deleted" | "caption_endpoint_tried" | "database_exported" | "database_imported" | "objects_collected" | "objects_verified" | "backup_made" | "backup_restored";
        /**
         * @description Category of an entry, for filtering.
         * @enum {string}
         */
        AuditCategory: "access" | "data" | "work" | "models" | "money" | "installation";
        /** @description An entry of the audit log. It never changes, and is deleted only when it is old enough. */
        AuditEntry: {
            /** @description What was done. */
            action: components["schemas"]["AuditAction"];
            /** @description Who did it: `token ci`, `browser session (login address)`, `command line (account zora)`, `server`, `nobody`. */
            actor: string;
            /** @description The IP address it came from. */
            address?: string | null;
            /**
             * Format: date-time
             * @description When it happened.
             */
            at: string;
            /** @description The category of the action. */
            category: components["schemas"]["AuditCategory"];
            /** @description Further details. */
            detail?: string | null;
            /** @description Its id; ids increase over time. */
            id: components["schemas"]["AuditId"];
            /** @description The action as text for a person. */
            label: string;
            /**
             * Format: int32
             * @description How often it happened within a minute: failed sign-ins from one address share an entry.
             */
            n: number;
            /** @description What it was done to. */
            subject?: string | null;
            token_id?: components["schemas"]["TokenId"] | null;
        };
        /**
         * Format: uuid
         * @description An entry of the audit log.
         */
        AuditId: string;
        /**
         * @description What becomes of the balloons in a panel.
         * @enum {string}
         */
        Balloons: "keep" | "mask" | "paint";
        /**
         * @description How large a base model is.
         * @enum {string}
         */
        BaseClass: "sdxl" | "tiny";
        /**
         * @description State of the copy in the object store.
         * @enum {string}
         */
        BaseCopy: "none" | "copying" | "stored" | "failed";
        /** @description One file of a base model to download. */
        BaseFile: components["schemas"]["StoredFile"] & {
            /** @description The URL comes from a user or a hub and may lead anywhere, so the agent checks its target. */
            is_foreign?: boolean;
            /** @description Its path within the base, with `/` between folders. */
            path: string;
        };
        /** @description Where an agent finds a base model. */
        BaseLocation: {
            /** @enum {string} */
            at: "built_in";
            /** @description Its name: `tiny-xl`. */
            name: string;
        } | {
            /** @enum {string} */
            at: "path";
            /** @description The path. */
            path: string;
        } | {
            /** @enum {string} */
            at: "files";
            /** @description One single-file checkpoint, or the files of a diffusers folder. */
            files: components["schemas"]["BaseFile"][];
        };
        /** @description A base model that jobs and generations can use. */
        BaseModel: {
            /** @description Whether it ships with Morpheus. */
            built_in: boolean;
            /** @description Size class. */
            class: components["schemas"]["BaseClass"];
            /** @description Which base models are trained like it; selects the presets. */
            family: components["schemas"]["Family"];
            /** @description What tells its family, after "because". */
            family_reason: string;
            /** @description The name to use in jobs and generations. */
            name: string;
            /**
             * Format: int32
             * @description Side of the square pictures it was trained on, in pixels.
             */
            native_resolution: number;
            /**
             * @description What one should know before using it, as sentences: what was measured contradicts what its files say, or tensors
             *     are not used.
             */
            notes?: string[];
            prediction?: components["schemas"]["Prediction"] | null;
        };
        /** @description What the owner of a base model says about it, whatever its files say. */
        BaseSettings: {
            prediction?: components["schemas"]["Prediction"] | null;
            /**
             * @description A VAE in place of its own: a safetensors file, named as the source of a base model is. In answers it is without
             *     secrets.
             */
            vae?: string | null;
        };
        /**
         * @description State of a registration.
         * @enum {string}
         */
        BaseState: "checking" | "ready" | "failed";
        /** @description A browser that is signed in. */
        BrowserSession: {
            /** @description IP address from which it signed in. */
            address?: string | null;
            /**
             * Format: date-time
             * @description When it signed in.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it expires.
             */
            expires_at?: string | null;
            /** @description Its id. */
            id: components["schemas"]["TokenId"];
            /** @description Whether it is the browser that sent this request. */
            is_current: boolean;
            /**
             * Format: date-time
             * @description When it was last used, to the minute.
             */
            last_used_at?: string | null;
            /** @description How it signed in: `login address` or the name of an API token. */
            signed_in_with: string;
            /** @description Short form of its user agent: `Firefox on Linux`. */
            user_agent?: string | null;
        };
        /** @description A budget: its limit and usage. */
        Budget: {
            /** @description The id of a job or a drawing session, a project's name or a month such as `2026-11`; empty for a user. */
            key: string;
            limit_micro_usd?: components["schemas"]["MicroUsd"] | null;
            /** @description Reserved for the worst case of running machines, in micro-dollars. */
            reserved_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Its scope. */
            scope: components["schemas"]["BudgetScope"];
            /** @description Amount spent, in micro-dollars; an upper bound until the provider has billed it. */
            spent_micro_usd: components["schemas"]["MicroUsd"];
        };
        /**
         * @description Scope of a budget.
         * @enum {string}
         */
        BudgetScope: "job" | "drawing" | "project" | "user" | "month";
        /** @description An edit of captions that was made. */
        CaptionEdit: {
            /**
             * Format: date-time
             * @description When.
             */
            created_at: string;
            /** @description What was done, in words. */
            description: string;
            /** @description Its id. */
            id: components["schemas"]["CaptionEditId"];
            /**
             * Format: int64
             * @description Number of captions that it changed.
             */
            n_changed: number;
            /** @description What was done. */
            operation: components["schemas"]["CaptionOperation"];
            /**
             * Format: date-time
             * @description When it was undone.
             */
            undone_at?: string | null;
        };
        /**
         * Format: uuid
         * @description An edit of many captions.
         */
        CaptionEditId: string;
        /** @description What an edit changes. */
        CaptionEditReport: {
            /** @description The first of them, at most 50. */
            changes: components["schemas"]["ChangedCaption"][];
            edit?: components["schemas"]["CaptionEdit"] | null;
            /**
             * Format: int64
             * @description Number of captions that change.
             */
            n_changed: number;
        };
        /** @description An endpoint that describes pictures. */
        CaptionEndpoint: {
            /**
             * Format: date-time
             * @description When it was added.
             */
            created_at: string;
            /** @description Whether it has a key. */
            has_key: boolean;
            /** @description Its id. */
            id: components["schemas"]["CaptionEndpointId"];
            /** @description The model's name there. */
            model: string;
            /** @description Its name. */
            name: string;
            /** @description Scheme and host of its URL; the rest may contain a secret. */
            origin: string;
        };
        /**
         * Format: uuid
         * @description An endpoint that describes pictures.
         */
        CaptionEndpointId: string;
        /** @description What is done to each caption. */
        CaptionOperation: {
            /** @enum {string} */
            kind: "add_first";
            /** @description What is added. */
            text: string;
        } | {
            /** @enum {string} */
            kind: "add_last";
            /** @description What is added. */
            text: string;
        } | {
            /** @enum {string} */
            kind: "remove_tag";
            /** @description The tag. */
            tag: string;
        } | {
            /** @description The text. */
            find: string;
            /** @description Upper and lower case are the same. */
            ignore_case?: boolean;
            /** @enum {string} */
            kind: "replace";
            /** @description What takes its place; empty to remove it. */
            replacement: string;
        } | {
            /** @description Upper and lower case are the same. */
            ignore_case?: boolean;
            /** @enum {string} */
            kind: "replace_pattern";
            /** @description The expression. */
            pattern: string;
            /** @description What takes its place: `$1` or `${name}` is what a group has matched, `$$` a dollar sign. */
            replacement: string;
        } | {
            /** @enum {string} */
            kind: "rename_tag";
            /** @description Its new name. */
            new_tag: string;
            /** @description The tag. */
            tag: string;
        } | {
            /** @enum {string} */
            kind: "merge_tags";
            /** @description The tag that they become. */
            new_tag: string;
            /** @description The tags, 1 to 100. */
            tags: string[];
        } | {
            /** @enum {string} */
            kind: "accept";
            /** @description The model. */
            model: string;
        };
        /**
         * @description What is proposed for a picture that has a caption.
         * @enum {string}
         */
        CaptionPolicy: "keep" | "add" | "replace";
        /** @description What a run proposes for one picture. */
        CaptionProposal: {
            /** @description The caption that is proposed. */
            after?: string | null;
            /** @description The caption beside which it was made. It is accepted only while the picture still has this caption. */
            before: string;
            /** @description Why there is no proposal. */
            error?: string | null;
            /** @description Its file name. */
            file_name: string;
            /** @description Its id. */
            id: components["schemas"]["CaptionProposalId"];
            /** @description The picture. */
            item_id: components["schemas"]["ItemId"];
            /** @description What became of it. */
            state: components["schemas"]["CaptionProposalState"];
        };
        /**
         * Format: uuid
         * @description What such a run proposes for one picture.
         */
        CaptionProposalId: string;
        /**
         * @description What became of a picture of a run.
         * @enum {string}
         */
        CaptionProposalState: "waiting" | "open" | "unchanged" | "failed" | "accepted" | "dismissed";
        /** @description A run over pictures of a dataset. */
        CaptionRun: {
            /**
             * Format: date-time
             * @description When it was started.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it ended.
             */
            ended_at?: string | null;
            /** @description Name of the endpoint when it was started. */
            endpoint: string;
            /** @description Why it failed. */
            error?: string | null;
            /** @description Its id. */
            id: components["schemas"]["CaptionRunId"];
            /** @description The model there. */
            model: string;
            /**
             * Format: int64
             * @description Pictures that were described, or failed.
             */
            n_done: number;
            /**
             * Format: int64
             * @description Pictures that failed.
             */
            n_failed: number;
            /**
             * Format: int64
             * @description Pictures to describe.
             */
            n_items: number;
            /**
             * Format: int64
             * @description Proposals that nobody has accepted or dismissed yet.
             */
            n_open: number;
            /** @description What is proposed for a picture that has a caption. */
            policy: components["schemas"]["CaptionPolicy"];
            /** @description What the model is told. */
            prompt: string;
            /** @description How it stands. */
            state: components["schemas"]["CaptionRunState"];
            /** @description Word that comes first in each proposal; empty for none. */
            trigger_word: string;
        };
        /**
         * Format: uuid
         * @description Descriptions of many pictures of a dataset.
         */
        CaptionRunId: string;
        /**
         * @description How a run stands.
         * @enum {string}
         */
        CaptionRunState: "running" | "done" | "stopped" | "failed";
        /** @description What an endpoint answered about one picture. */
        CaptionTrial: {
            /** @description Why there is no answer. */
            error?: string | null;
            /** @description What the model says. */
            text?: string | null;
        };
        /** @description A caption that an edit changes. */
        ChangedCaption: {
            /** @description Its caption after. */
            after: string;
            /** @description Its caption before. */
            before: string;
            /** @description Its file name. */
            file_name: string;
            /** @description The picture. */
            item_id: components["schemas"]["ItemId"];
        };
        /** @description What the pictures of a dataset are checked for. */
        CheckDataset: {
            /**
             * Format: int32
             * @description Pictures in a batch.
             * @default 1
             */
            batch_size: number;
            /**
             * Format: int32
             * @description Bucket sides are multiples of this, in pixels.
             * @default 64
             */
            bucket_step: number;
            /**
             * Format: int32
             * @description Tokens of a caption that are read: 75, 150 or 225.
             * @default 75
             */
            max_tokens: number;
            /**
             * @description What the LoRA is for.
             * @default character
             */
            preset: components["schemas"]["Preset"];
            /**
             * Format: int32
             * @description Resolution of the training, in pixels.
             * @default 1024
             */
            resolution: number;
            /**
             * @description The word that activates the LoRA; empty for none.
             * @default
             */
            trigger_word: string;
        };
        /** @description Which proposals of a run are accepted or dismissed. */
        ChooseProposals: {
            /** @description The proposals, at most 10 000; all that are open if absent. */
            proposals?: components["schemas"]["CaptionProposalId"][] | null;
        };
        /** @description Work, if there is any. */
        ClaimReply: {
            assignment?: components["schemas"]["Assignment"] | null;
            drawing?: components["schemas"]["DrawingLease"] | null;
            /** @description The agent keeps running when there is no work: its machine belongs to the pool, or to a drawing session. */
            stay?: boolean;
        };
        /** @description Asks for work. The server holds the request until there is work or `wait_seconds` have passed. */
        ClaimRequest: {
            /** @description Which kinds of work this agent does. */
            kinds: components["schemas"]["WorkKind"][];
            machine?: components["schemas"]["Machine"] | null;
            /**
             * Format: int32
             * @description How long the server may hold the request, at most 60.
             */
            wait_seconds: number;
        };
        /** @description Something that a clean-up deletes. */
        CleanedUp: {
            /**
             * Format: uuid
             * @description Its id.
             */
            id: string;
            /** @description What it is. */
            kind: components["schemas"]["TrashKind"];
            /** @description Its name; of a generation, its prompt. */
            name: string;
            /**
             * Format: int64
             * @description Size of its files. What others share of them stays.
             */
            size_bytes: number;
        };
        /**
         * @description Rules by which to clean up. Each stands on its own, and one that is left out deletes nothing. Never deleted is what is
         *     in use or has a star, an approved version, and the version that a model is used by.
         */
        CleanUp: {
            /**
             * Format: int32
             * @description Drafts older than this, in days, go.
             */
            drafts_days?: number | null;
            /**
             * Format: int32
             * @description Newest drafts of each model that are kept; older drafts go.
             */
            drafts_kept?: number | null;
            /**
             * Format: int32
             * @description Jobs without a model version that ended longer ago than this, in days, go.
             */
            jobs_days?: number | null;
            /**
             * Format: int32
             * @description Pictures of the playground older than this, in days, go.
             */
            pictures_days?: number | null;
        };
        /** @description What a clean-up deletes, or has deleted. */
        CleanUpResult: {
            /** @description There is more: clean up again. */
            has_more: boolean;
            /** @description At most 1000 things; versions first, then pictures, then jobs. */
            items: components["schemas"]["CleanedUp"][];
            /**
             * Format: int64
             * @description Size of all their files.
             */
            total_bytes: number;
        };
        /**
         * @description A tier of rented machines.
         * @enum {string}
         */
        CloudTier: "secure" | "community";
        /** @description A prompt, and where it stands. */
        CountedPrompt: {
            /** @description Whether brackets, `BREAK` and LoRA tags are letters, as in captions. */
            literal?: boolean;
            /**
             * Format: int32
             * @description Tokens after which the text is cut, for captions.
             */
            max_tokens?: number | null;
            /** @description Its text. */
            prompt: string;
            /** @description Whether a LoRA tag has a meaning here; if not, it is warned about. */
            takes_loras?: boolean;
        };
        /** @description Asks how prompts are read. */
        CountPrompts: {
            /** @description Name of the base model that a picture is made with; LoRAs that were trained on another are warned about. */
            base_model?: string | null;
            /** @description The prompts. */
            prompts: components["schemas"]["CountedPrompt"][];
        };
        /** @description An endpoint to add. Not printed: it holds secrets. */
        CreateCaptionEndpoint: {
            /** @description Sent as a bearer token, if the endpoint needs one. It is never returned. */
            key?: string | null;
            /** @description The model's name there; 1 to 200 characters. It must accept pictures. */
            model: string;
            /** @description Its name, unique among your endpoints; 1 to 80 characters. */
            name: string;
            /**
             * @description Base URL of an OpenAI-compatible API with its version, such as `http://localhost:11434/v1`. It is kept secret, because
             *     it may contain a password or a key.
             */
            url: string;
        };
        /** @description Describes pictures of a dataset. */
        CreateCaptionRun: {
            /** @description The endpoint. */
            endpoint_id: components["schemas"]["CaptionEndpointId"];
            /** @description The pictures, at most 10 000; all of the dataset if absent. */
            items?: components["schemas"]["ItemId"][] | null;
            /** @description What is proposed for a picture that has a caption. */
            policy?: components["schemas"]["CaptionPolicy"];
            /**
             * @description What the model is told, 1 to 4000 characters. `{trigger}` becomes the trigger word, `{tags}` the caption that there
             *     is, `{name}` the file's name.
             */
            prompt: string;
            /** @description Word that comes first in each proposal; empty for none. */
            trigger_word?: string;
        };
        /** @description Creates an empty dataset. */
        CreateDataset: {
            /** @description Its name, 1 to 80 characters. */
            name: string;
        };
        /** @description Rents a machine for pictures. */
        CreateDrawingSession: {
            /**
             * Format: int32
             * @description The session ends after this many minutes without a picture.
             * @default 10
             */
            idle_minutes: number;
            /**
             * Format: int64
             * @description Total cost limit, in micro-dollars. The machine is terminated before its cost exceeds it.
             */
            limit_micro_usd: number;
            /** @description What it is called where its cost is shown. */
            name: string;
            /** @description Who rents the machine out. */
            provider: string;
            /** @description Requirements for the machine. */
            rental?: components["schemas"]["RentalWish"];
        };
        /** @description A new API token. */
        CreatedToken: components["schemas"]["ApiToken"] & {
            /** @description The secret, to send as `Authorization: Bearer …`. It is returned only once. */
            secret: string;
        };
        /** @description A new webhook with its secret. */
        CreatedWebhook: components["schemas"]["Webhook"] & {
            /** @description The secret that signs every request, for the receiver: `whsec_…`. It is returned only once. */
            secret: string;
        };
        /** @description Asks for a file that is made out of others. Fields that `kind` does not use must be left out. */
        CreateEdit: {
            /**
             * @description `merge_into`: the base model. `extract`: what is subtracted. `merge`, `resize`: the base model that a DoRA's change
             *     is computed beside; if omitted, that of the first LoRA.
             */
            base_model?: string | null;
            /**
             * @description `weigh`: 12, 17, 20 or 26 numbers with commas between them; names, such as `BASE=0,IN04=0.5,MID=1,ELSE=0`; or
             *     B-LoRA's `content` or `style`.
             */
            blocks?: string | null;
            /**
             * Format: int32
             * @description The largest rank of convolutions. If omitted, `rank`; with `extract`, convolutions are left out.
             */
            conv_rank?: number | null;
            /** @description NP-LoRA: remove all that the others do along the style's directions, whatever the strength. */
            hard?: boolean;
            /**
             * Format: double
             * @description The number for `keep_by`.
             */
            keep?: number | null;
            keep_by?: components["schemas"]["KeepBy"] | null;
            /** @description What is made. */
            kind: components["schemas"]["EditKind"];
            /** @description The LoRAs: at least two for `merge`, at least one for `merge_into`, none for `extract`, else one. */
            loras?: components["schemas"]["EditedLora"][];
            method?: components["schemas"]["MergeMethod"] | null;
            /** @description Name of the model that the result becomes a version of. If omitted, that of the first LoRA. */
            name?: string | null;
            /**
             * Format: double
             * @description NP-LoRA: share of the style's Frobenius norm whose directions are protected; all of them if omitted.
             */
            protect?: number | null;
            /**
             * Format: int32
             * @description `merge` by SVD, `resize`, `extract`: the largest rank.
             */
            rank?: number | null;
            /**
             * Format: double
             * @description NP-LoRA: how strongly the others are projected; 0 is a plain sum. 0.5 if omitted, as in its paper.
             */
            strength?: number | null;
            to?: components["schemas"]["LoraNames"] | null;
            /** @description `extract`: the base model whose difference is taken. */
            tuned_model?: string | null;
        };
        /** @description Requests a picture. */
        CreateGeneration: {
            /** @description Name of the base model. */
            base_model: string;
            drawing_session_id?: components["schemas"]["DrawingSessionId"] | null;
            /**
             * Format: double
             * @description Classifier-free guidance: how closely the prompt is followed. 1 switches it off.
             * @default 5
             */
            guidance: number;
            /**
             * Format: int32
             * @description Height in pixels. If omitted, that of the base model.
             */
            height?: number | null;
            /**
             * @description Read brackets, `BREAK` and LoRA tags in both prompts as letters.
             * @default false
             */
            literal: boolean;
            /** @description LoRAs to apply. */
            loras?: components["schemas"]["LoraWeight"][];
            /**
             * Format: int32
             * @description Denoising steps.
             * @default 25
             */
            n_steps: number;
            /** @description What the picture should not show. Read like the prompt, without LoRAs. */
            negative_prompt?: string;
            /**
             * @description What the picture should show. `(x)`, `[x]` and `(x:1.3)` set emphasis, `BREAK` begins a new chunk, and
             *     `<lora:NAME:WEIGHT>` adds a LoRA: the tag leaves the prompt, and the LoRA joins `loras`.
             */
            prompt: string;
            /** @description How noise is turned into a picture. */
            sampler?: components["schemas"]["Sampler"];
            /** @description Seed of the initial noise, up to 18446744073709551615. Random if it is omitted or -1. One above 9007199254740991 is written as a string, so that JavaScript keeps all of its digits. */
            seed?: number | string | null;
            /**
             * Format: int32
             * @description Width in pixels. If omitted, that of the base model.
             */
            width?: number | null;
        };
        /** @description Submits a training job. */
        CreateJob: {
            /** @description Name of the base model, as `GET /api/v1/base-models` lists it. */
            base_model: string;
            /** @description The dataset to train on. It is frozen when the job is created; later changes do not affect the job. */
            dataset_id: components["schemas"]["DatasetId"];
            /** @description The training engine. */
            engine?: components["schemas"]["Engine"];
            /**
             * @description `hash` of the estimate that the user saw. Required for a provider with paid machines: if prices or
             *     settings have changed since, the job is rejected.
             */
            estimate_hash?: string | null;
            family?: components["schemas"]["Family"] | null;
            /**
             * Format: int64
             * @description Total cost limit of the job across all its machines, in micro-dollars. Required for a provider
             *     with paid machines; the job stops with a checkpoint before it exceeds the limit.
             */
            limit_micro_usd?: number | null;
            /**
             * Format: int32
             * @description Length of the training in epochs, in place of `n_views` and `n_steps` of the parameters.
             */
            n_epochs?: number | null;
            /** @description Name of the resulting model, 1 to 80 characters. */
            name: string;
            /** @description Why the job is run, for people; at most 200 characters on one line. */
            note?: string | null;
            /** @description Overrides of the preset's hyperparameters. */
            parameters?: components["schemas"]["ParameterOverrides"];
            /** @description What the LoRA is for; sets the defaults of all parameters. */
            preset?: components["schemas"]["Preset"];
            /**
             * Format: int32
             * @description Priority, from -10 to 10. Higher runs first; the oldest first among equals.
             * @default 0
             */
            priority: number;
            /** @description The project of the job, whose budget also applies; 1 to 80 characters. */
            project?: string | null;
            /**
             * @description The provider of the machine: `local` is the server's own machine.
             * @default local
             */
            provider: string;
            /** @description Requirements for the rented machine. */
            rental?: components["schemas"]["RentalWish"];
            /** @description The preview pictures, at most 16: each a prompt, or an object with a prompt and what else is chosen. If omitted, captions of the dataset are used. */
            sample_prompts?: (string | components["schemas"]["SamplePrompt"])[];
            start_from?: components["schemas"]["ModelVersionId"] | null;
            /** @description The word that activates the LoRA in a prompt; prepended to captions that lack it. */
            trigger_word?: string | null;
        };
        /** @description Saves a preset: what a job was trained with, or the content of a file that somebody shares. */
        CreateOwnPreset: {
            family?: components["schemas"]["Family"] | null;
            job_id?: components["schemas"]["JobId"] | null;
            /** @description Its name, 1 to 80 characters. */
            name: string;
            /** @description What differs from that preset. */
            parameters?: components["schemas"]["ParameterOverrides"];
            /** @description The preset that it starts from. */
            preset?: components["schemas"]["Preset"];
        };
        /** @description Creates an API token. */
        CreateToken: {
            /**
             * Format: int32
             * @description Days until it expires, 1 to 3650; if omitted, it is valid until deleted. A token cannot create one that
             *     outlives it.
             */
            expires_in_days?: number | null;
            /** @description What it is for, 1 to 80 characters. */
            name: string;
            /** @description Who uses it. */
            scope?: components["schemas"]["TokenScope"];
        };
        /** @description A new webhook. */
        CreateWebhook: {
            /** @description What it is told of; at least one. */
            events: components["schemas"]["NoticeKind"][];
            /** @description Its name, unique among your webhooks; 1 to 80 characters. */
            name: string;
            /** @description The `https://` or `http://` URL that receives notices. It is kept secret, because it may contain a password or a key. */
            url: string;
        };
        /**
         * @description What is wrong with a stored file.
         * @enum {string}
         */
        Damage: "missing" | "damaged";
        /** @description Uploaded pictures with captions. */
        Dataset: {
            /**
             * Format: date-time
             * @description When it was created.
             */
            created_at: string;
            /** @description Its id. */
            id: components["schemas"]["DatasetId"];
            /**
             * Format: int64
             * @description Number of pictures with a non-empty caption.
             */
            n_captioned: number;
            /**
             * Format: int64
             * @description Number of pictures that are missing from the object store or damaged there: upload them again.
             */
            n_damaged?: number;
            /**
             * Format: int64
             * @description Number of pictures.
             */
            n_items: number;
            /** @description Its name. */
            name: string;
            /** @description A few pictures for a preview: the URLs of their thumbnails. */
            preview_urls: string[];
        };
        /** @description What changed in a dataset since a job froze it, in pictures. */
        DatasetChanges: {
            /**
             * Format: int32
             * @description Added since.
             */
            n_added: number;
            /**
             * Format: int32
             * @description With another caption.
             */
            n_recaptioned: number;
            /**
             * Format: int32
             * @description Deleted since.
             */
            n_removed: number;
            /**
             * Format: int32
             * @description Shown more or less often, or as another kind of picture.
             */
            n_shown_otherwise: number;
        };
        /** @description What the checks of a dataset find. */
        DatasetFindings: {
            /** @description Findings, errors first. */
            findings: components["schemas"]["Finding"][];
            /**
             * Format: int64
             * @description Number of pictures whose pixels were not measured yet: the next request measures more. A picture whose stored file
             *     is lost or damaged cannot be measured and does not count.
             */
            n_unmeasured: number;
        };
        /**
         * Format: uuid
         * @description Uploaded pictures with captions.
         */
        DatasetId: string;
        /**
         * Format: uuid
         * @description The frozen copy of a dataset that a job trains on.
         */
        DatasetVersionId: string;
        /** @description One notice to one receiver. */
        Delivery: {
            /**
             * Format: date-time
             * @description When it was written.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it arrived or was given up.
             */
            ended_at?: string | null;
            /** @description What was wrong with the newest try. */
            error?: string | null;
            /** @description Its id; the header `webhook-id` is `msg_` and this id, the same at every try. */
            id: components["schemas"]["DeliveryId"];
            job_id?: components["schemas"]["JobId"] | null;
            /** @description What it tells of. */
            kind: components["schemas"]["NoticeKind"];
            /** @description The sentence in it. */
            message: string;
            /**
             * Format: int32
             * @description Tries so far.
             */
            n_attempts: number;
            /**
             * Format: date-time
             * @description When it is tried next, while it waits.
             */
            next_attempt_at?: string | null;
            /** @description Name of the webhook, or `mail`. */
            receiver: string;
            /** @description Whether it arrived. */
            state: components["schemas"]["DeliveryState"];
            /**
             * Format: int32
             * @description HTTP status of the newest answer.
             */
            status?: number | null;
            webhook_id?: components["schemas"]["WebhookId"] | null;
        };
        /**
         * Format: uuid
         * @description One notice to one receiver.
         */
        DeliveryId: string;
        /**
         * @description Whether a notice arrived.
         * @enum {string}
         */
        DeliveryState: "waiting" | "delivered" | "failed";
        /**
         * @description What an engine computes on.
         * @enum {string}
         */
        DeviceKind: "cpu" | "cuda";
        /**
         * @description An order to an agent.
         * @enum {string}
         */
        Directive: "stop" | "cancel" | "checkpoint" | "sample" | "finish";
        /** @description Free space on the server's disks. */
        DiskStatus: {
            /** @description The monitored folders. */
            folders: components["schemas"]["FolderStatus"][];
            /** @description Whether space is low: uploads are rejected, jobs on this machine pause, and nothing starts until there is space. */
            is_short: boolean;
        };
        /** @description What was dismissed. */
        DismissedProposals: {
            /**
             * Format: int64
             * @description Number of proposals.
             */
            n_dismissed: number;
        };
        /** @description The lease of a drawing session's machine. Pictures that it draws meanwhile have attempts of their own. */
        DrawingLease: {
            /** @description The session's attempt. */
            attempt_id: components["schemas"]["AttemptId"];
            /**
             * Format: int64
             * @description Proves ownership of it.
             */
            fence: number;
            /**
             * Format: int32
             * @description The lease ends this long after the claim was sent.
             */
            lease_seconds: number;
            /** @description Limits for the agent. */
            terms: components["schemas"]["RentalTerms"];
        };
        /** @description A kind of machine for pictures. */
        DrawingOffer: {
            /** @description Tier. */
            cloud: components["schemas"]["CloudTier"];
            /** @description Id of the GPU type. */
            gpu: string;
            /** @description Display name. */
            gpu_name: string;
            /** @description Whether the provider reports it as available. */
            is_in_stock: boolean;
            /** @description The smallest limit with which it could be rented, in micro-dollars. */
            least_limit_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: int32
             * @description Memory of each GPU, in GB.
             */
            memory_gb: number;
            /**
             * Format: int32
             * @description Number of GPUs in the machine.
             */
            n_gpus: number;
            /** @description Price per hour, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
        };
        /**
         * @description Phase of a drawing session.
         * @enum {string}
         */
        DrawingPhase: "ordered" | "starting" | "ready" | "ending" | "ended";
        /** @description What a drawing session would cost. */
        DrawingPrices: {
            /** @description Budgets that it keeps to besides its own limit. */
            budgets: components["schemas"]["Budget"][];
            least_limit_micro_usd?: components["schemas"]["MicroUsd"] | null;
            /** @description Every kind of machine that may be asked for, those that are asked for first at the front. */
            offers: components["schemas"]["DrawingOffer"][];
        };
        /** @description A drawing session. */
        DrawingSession: {
            /**
             * Format: date-time
             * @description When it was asked for.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When its machine must be terminated, once one is ordered, by the provider's clock.
             */
            deadline_at?: string | null;
            /**
             * Format: date-time
             * @description When it was over.
             */
            ended_at?: string | null;
            /** @description Id of the GPU type of its machine, once one is ordered. */
            gpu?: string | null;
            /** @description Its id. */
            id: components["schemas"]["DrawingSessionId"];
            /**
             * Format: int32
             * @description It ends after this many minutes without a picture.
             */
            idle_minutes: number;
            /** @description Total cost limit, in micro-dollars. */
            limit_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: int32
             * @description Pictures that wait for it or are being drawn.
             */
            n_open: number;
            /** @description What it is called. */
            name: string;
            /** @description Its phase. */
            phase: components["schemas"]["DrawingPhase"];
            /** @description Who rents its machine out. */
            provider: string;
            /** @description Cost per hour of its machine, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Why it is ending or has ended. */
            reason?: string | null;
            /** @description Reserved for the worst case of its machine, in micro-dollars. */
            reserved_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: int32
             * @description Seconds until its limit or its longest time ends it, while its machine is ready.
             */
            seconds_to_limit?: number | null;
            /**
             * Format: int32
             * @description Seconds until it ends without another picture, while its machine is ready and draws none.
             */
            seconds_to_silence?: number | null;
            /** @description Cost so far, in micro-dollars; an upper bound until the provider has billed it. */
            spent_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: date-time
             * @description When its machine became ready.
             */
            started_at?: string | null;
            /**
             * Format: date-time
             * @description When the newest picture was asked for or ended, or the machine became ready.
             */
            used_at?: string | null;
        };
        /**
         * Format: uuid
         * @description A rented machine that draws pictures.
         */
        DrawingSessionId: string;
        /** @description An edit with everything that it needs and nothing else. */
        Edit: {
            /** @enum {string} */
            kind: "merge";
            /** @description How. */
            merging: components["schemas"]["Merging"];
            /** @description Weights of the LoRAs, in their order. */
            weights: number[];
        } | {
            /** @enum {string} */
            kind: "merge_into";
            /** @description Weights of the LoRAs, in their order. */
            weights: number[];
        } | {
            /** @description How much is kept. */
            keep: components["schemas"]["KeepRule"];
            /** @enum {string} */
            kind: "resize";
        } | {
            /** @enum {string} */
            kind: "convert";
            /** @description Whose names. */
            to: components["schemas"]["LoraNames"];
        } | {
            /**
             * Format: int32
             * @description Rank of convolutions; absent to leave them out.
             */
            conv_rank?: number | null;
            /** @enum {string} */
            kind: "extract";
            /**
             * Format: int32
             * @description Rank of the LoRA.
             */
            rank: number;
        } | {
            /** @description Block weights. */
            blocks: string;
            /** @enum {string} */
            kind: "weigh";
        };
        /** @description Edits captions, or shows what an edit would do. */
        EditCaptions: {
            /** @description Only show what would change. */
            dry_run?: boolean;
            /** @description The pictures, at most 10 000; all of the dataset if absent. */
            items?: components["schemas"]["ItemId"][] | null;
            /** @description What is done. */
            operation: components["schemas"]["CaptionOperation"];
        };
        /** @description A LoRA of the library in an edit. */
        EditedLora: {
            /** @description The LoRA. */
            model_version_id: components["schemas"]["ModelVersionId"];
            /**
             * Format: double
             * @description Weight in a merge: 1 is as trained, 0 leaves it out.
             * @default 1
             */
            weight: number;
        };
        /**
         * Format: uuid
         * @description A file that is made out of others.
         */
        EditId: string;
        /**
         * @description What is made.
         * @enum {string}
         */
        EditKind: "merge" | "merge_into" | "resize" | "convert" | "extract" | "weigh";
        /**
         * @description Where an edit stands.
         * @enum {string}
         */
        EditPhase: "queued" | "running" | "succeeded" | "failed" | "cancelled";
        /** @description How far an edit is. */
        EditProgress: {
            /**
             * Format: int32
             * @description Completed units.
             */
            done: number;
            /** @description The current step, for a person. */
            stage: string;
            /**
             * Format: int32
             * @description Total units; 0 if unknown.
             */
            total: number;
        };
        /** @description A file that was made out of others. */
        EditResult: {
            /** @description The stored file. */
            artifact_id: components["schemas"]["ArtifactId"];
            /** @description What was done, for a person. */
            done: string;
            /**
             * Format: double
             * @description Share of the Frobenius norm that is left, if something was cut.
             */
            kept?: number | null;
            /** @description What a person should know. */
            notes?: string[];
            summary?: components["schemas"]["LoraSummary"] | null;
        };
        /** @description One file to make out of others. */
        EditWork: {
            base?: components["schemas"]["NamedBase"] | null;
            /** @description What to make. */
            edit: components["schemas"]["Edit"];
            /** @description The edit. */
            edit_id: components["schemas"]["EditId"];
            /** @description The LoRAs, in the order of the request. */
            loras: components["schemas"]["NamedFile"][];
            /** @description Name of the result, without its ending. */
            name: string;
            tuned?: components["schemas"]["NamedBase"] | null;
        };
        /**
         * @description What computes the training.
         * @enum {string}
         */
        Engine: "native" | "kohya";
        /** @description What is wrong, as OpenAI's clients read it. */
        ErrorDetail: {
            /** @description Stable, machine-readable kind. */
            code?: string | null;
            /** @description What is wrong and how to fix it. */
            message: string;
            /** @description The first field that is wrong. */
            param?: string | null;
            /** @description `invalid_request_error`, `authentication_error`, `permission_error`, `rate_limit_error` or `server_error`. */
            type: string;
        };
        /** @description The body of every error response below `/v1`. */
        ErrorResponse: {
            /** @description The error. */
            error: components["schemas"]["ErrorDetail"];
        };
        /** @description One size at which pictures would be trained. */
        EstimatedBucket: {
            /**
             * Format: int32
             * @description Height in pixels.
             */
            height: number;
            /**
             * Format: int32
             * @description Pictures of this size.
             */
            n_items: number;
            /**
             * Format: int32
             * @description Width in pixels.
             */
            width: number;
        };
        /** @description What happened. */
        Event: {
            /** @description The new phase. */
            phase: components["schemas"]["Phase"];
            /** @description The reason, for a person; absent if the phase is self-explanatory. */
            reason?: string | null;
            /** @enum {string} */
            type: "phase_changed";
        } | {
            /** @description What the agent or the reconciler observed. */
            detail?: string | null;
            /** @description How it ended. */
            outcome: components["schemas"]["Outcome"];
            /** @enum {string} */
            type: "attempt_ended";
        } | {
            /**
             * Format: int32
             * @description Completed units.
             */
            done: number;
            /** @description The current step, for a person: `caching latents`. */
            name: string;
            /**
             * Format: int32
             * @description Total units; 0 if unknown.
             */
            total: number;
            /** @enum {string} */
            type: "stage";
        } | (components["schemas"]["StepMetrics"] & {
            /** @enum {string} */
            type: "step";
        }) | {
            /**
             * Format: double
             * @description Mean over the held-out pictures and the fixed timesteps.
             */
            loss: number;
            /**
             * Format: int32
             * @description Optimizer steps done before it was measured.
             */
            step: number;
            /** @enum {string} */
            type: "validation_loss";
        } | {
            /** @description The steps, in their order. */
            steps: components["schemas"]["SeenPictures"][];
            /** @enum {string} */
            type: "pictures_seen";
        } | {
            /** @description The stored picture. */
            artifact_id: components["schemas"]["ArtifactId"];
            /** @description The prompt. */
            prompt: string;
            /**
             * Format: int32
             * @description Which of the recipe's sample prompts, from 0.
             */
            prompt_index: number;
            /**
             * Format: int64
             * @description Seed of its starting noise.
             */
            seed: number;
            /**
             * Format: int32
             * @description Optimizer steps done when it was rendered.
             */
            step: number;
            /** @enum {string} */
            type: "sample";
        } | {
            /** @description The stored file. */
            artifact_id: components["schemas"]["ArtifactId"];
            /**
             * Format: int64
             * @description Size of the file.
             */
            size_bytes: number;
            /**
             * Format: int32
             * @description Optimizer steps done.
             */
            step: number;
            /** @enum {string} */
            type: "checkpoint";
        } | {
            /** @enum {string} */
            type: "validated";
            /** @description The verdict with its numbers. */
            verdict: components["schemas"]["Verdict"];
        } | {
            /** @description What it was found to be. */
            judgement: components["schemas"]["Judgement"];
            /**
             * Format: int32
             * @description Optimizer steps done at the checkpoint.
             */
            step: number;
            /** @enum {string} */
            type: "judged";
        } | {
            /** @description Its id. */
            model_version_id: components["schemas"]["ModelVersionId"];
            /** @enum {string} */
            type: "model_version_created";
        } | {
            forecast_micro_usd?: components["schemas"]["MicroUsd"] | null;
            limit_micro_usd?: components["schemas"]["MicroUsd"] | null;
            /** @description Cost per hour of its running machines, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Amount spent, in micro-dollars; an upper bound until the provider has billed it. */
            spent_micro_usd: components["schemas"]["MicroUsd"];
            /** @enum {string} */
            type: "spend";
        } | {
            /** @description Severity. */
            level: components["schemas"]["LogLevel"];
            /** @description The text. */
            message: string;
            /** @enum {string} */
            type: "log";
        };
        /**
         * @description The kind of an event: its `type`.
         * @enum {string}
         */
        EventKind: "phase_changed" | "attempt_ended" | "stage" | "step" | "validation_loss" | "pictures_seen" | "sample" | "checkpoint" | "validated" | "judged" | "model_version_created" | "spend" | "log";
        /** @description A picture that shows what the stamp says. Its file is an artifact of the job of this name. */
        Evidence: {
            /** @description Name of the picture among the evidence, such as `plain-7`; unique within a judgement. */
            name: string;
            /** @description Name of the training picture that it is closest to, where copying was looked for. */
            nearest?: string | null;
            /** @description Its prompt. */
            prompt: string;
            /**
             * Format: int64
             * @description Seed of its starting noise.
             */
            seed: number;
            /** @description What it shows, in a few words. */
            shows: string;
            /**
             * Format: float
             * @description Weight of the LoRA; 0 for the base model's picture.
             */
            weight: number;
        };
        /** @description A picture that shows what a stamp says, stored. */
        EvidencePicture: {
            /** @description Its name in the judgement. */
            name: string;
            /** @description Signed URL, valid for one hour. */
            url: string;
        };
        /** @description Settings for another trainer. */
        ExportedRecipe: {
            /** @description What their file may be called. */
            file_name: string;
            /** @description What they are for. */
            format: components["schemas"]["RecipeFormat"];
            /** @description What the other trainer has no counterpart for. */
            left_out: components["schemas"]["LeftOutSetting"][];
            /** @description The file. */
            text: string;
        };
        /**
         * @description Base models that are trained alike, and share presets.
         * @enum {string}
         */
        Family: "tiny" | "sdxl" | "illustrious" | "noobai" | "noobai_v" | "noobai_flow" | "pony";
        /** @description An error in one field (or one uploaded file), and how to fix it. */
        FieldError: {
            /** @description Path of the field, as in the request: `parameters.rank`; or the name of the file. */
            field: string;
            /** @description What is wrong and how to fix it. */
            message: string;
        };
        /** @description One problem of a dataset, with the pictures that have it. */
        Finding: {
            /** @description What it is about. */
            about: components["schemas"]["About"];
            /** @description Whether a user has acknowledged it for just this content. */
            acknowledged?: boolean;
            /** @description What was found. */
            code: components["schemas"]["FindingCode"];
            /** @description Hash of what the finding is about, in hexadecimal: it changes when a picture or caption that it names does. */
            content: string;
            /** @description What is wrong, in one sentence. */
            message: string;
            /** @description The pictures that have the problem; empty if it is about the whole dataset. */
            pictures?: components["schemas"]["FoundPicture"][];
            /** @description What to do about it. */
            repair: string;
            /** @description Severity. */
            severity: components["schemas"]["Severity"];
        };
        /**
         * @description Every problem that the checks know.
         * @enum {string}
         */
        FindingCode: "cannot_train" | "file_refused" | "few_pictures" | "unbalanced_groups" | "small_bucket" | "enlarged" | "cropped_away" | "blurred" | "too_dark" | "too_bright" | "blank" | "framed" | "whole_page" | "near_duplicate" | "held_out_duplicate" | "no_caption" | "caption_too_long" | "caption_encoding" | "same_caption" | "contradicting_tags" | "dominating_tag" | "trigger_missing" | "trigger_late" | "trigger_repeated" | "trigger_tokens" | "changed";
        /** @description Ends an attempt. */
        Finish: {
            /** @description What went wrong, for a person; for a failure. */
            detail?: string | null;
            edited?: components["schemas"]["EditResult"] | null;
            /**
             * Format: int64
             * @description See [`Assignment::fence`].
             */
            fence: number;
            /**
             * @description The disk of the agent's machine took no writes: it is full, may not be written to, or fails. The outcome is
             *     `lost`, and the job waits until there is room; a server that does not know this field tries again at once.
             */
            no_room?: boolean;
            /** @description How it ended. */
            outcome: components["schemas"]["Outcome"];
            picture?: components["schemas"]["ArtifactId"] | null;
            result?: components["schemas"]["TrainResult"] | null;
        };
        /** @description Free space on the disk of one folder. */
        FolderStatus: {
            /**
             * Format: int64
             * @description Free bytes of its disk.
             */
            free_bytes: number;
            /** @description Whether it can hold hardly any more files, however many bytes are free. */
            is_out_of_files: boolean;
            /** @description Whether space is low, or files are. */
            is_short: boolean;
            /**
             * Format: int64
             * @description Work pauses below this many free bytes.
             */
            min_free_bytes: number;
            /** @description `data` or `objects`. */
            name: string;
            /**
             * Format: int64
             * @description Work resumes at this many free bytes.
             */
            resume_at_bytes: number;
            /**
             * Format: int64
             * @description Size of its disk, in bytes.
             */
            total_bytes: number;
        };
        /** @description A panel that was found on a page. */
        FoundPanel: {
            /**
             * Format: float
             * @description How certainly this is a panel, from 0 to 1.
             */
            confidence: number;
            /** @description Where it is. */
            frame: components["schemas"]["PageFrame"];
        };
        /** @description What is found on a picture that may be a page. */
        FoundPanels: {
            /** @description Whether the picture is a whole page. */
            is_page: boolean;
            /** @description Its panels in reading order. A picture without gutters is one panel. */
            panels: components["schemas"]["FoundPanel"][];
        };
        /** @description A picture with a problem. */
        FoundPicture: {
            /** @description What is wrong with it, without a subject: `is 64×80 and will be enlarged 2.0 times to 128×160`. */
            detail: string;
            /** @description Its file name. */
            file_name: string;
            id?: components["schemas"]["ItemId"] | null;
        };
        /** @description One picture to render. */
        GenerateWork: {
            /** @description Where this machine finds the base model. */
            base: components["schemas"]["BaseLocation"];
            /** @description What the server knows of the base model beside its files. */
            base_known?: components["schemas"]["KnownOfBase"];
            /** @description The generation. */
            generation_id: components["schemas"]["GenerationId"];
            /** @description The LoRA files, in the order of the request. */
            lora_files: components["schemas"]["StoredFile"][];
            /** @description What to render. */
            request: components["schemas"]["Rendering"];
        };
        /** @description One text-to-image request and its picture. */
        Generation: {
            /**
             * Format: date-time
             * @description When it was requested.
             */
            created_at: string;
            /**
             * Format: int64
             * @description Time the agent took.
             */
            duration_ms?: number | null;
            /** @description Why it failed. */
            error?: string | null;
            /** @description Its id. */
            id: components["schemas"]["GenerationId"];
            /** @description Signed URL of the picture. */
            image_url?: string | null;
            /** @description What a person should know of how it was rendered, such as a memory that was too small for the quickest way. */
            notes?: string[];
            /** @description Its phase. */
            phase: components["schemas"]["GenerationPhase"];
            /** @description The request, with the seed that was used. */
            request: components["schemas"]["CreateGeneration"];
            /** @description What its agent does or waits for; only while that runs, and only where there is something to say. */
            stage?: string | null;
        };
        /**
         * Format: uuid
         * @description One text-to-image request.
         */
        GenerationId: string;
        /** @description A message of `WS /api/v1/generations/{id}/live`. */
        GenerationNews: {
            /** @description The generation. */
            generation: components["schemas"]["Generation"];
            /** @enum {string} */
            type: "state";
        } | {
            /** @description The newest preview; those before it may be left out. */
            preview: components["schemas"]["Preview"];
            /** @enum {string} */
            type: "preview";
        };
        /**
         * @description Where a generation stands.
         * @enum {string}
         */
        GenerationPhase: "queued" | "running" | "succeeded" | "failed";
        /** @description Changes all pictures of one group. */
        GroupChange: {
            /** @description The group; empty for the pictures of no group. */
            group: string;
            /** @description Whether its pictures are regularization pictures. */
            regularization?: boolean | null;
            /**
             * Format: int32
             * @description How many times an epoch shows each of its pictures.
             */
            repeats?: number | null;
        };
        /** @description Renews the lease and delivers events. */
        Heartbeat: {
            /** @description Events since the last acknowledged one; repeated until acknowledged. At most 1000. */
            events: components["schemas"]["AgentEvent"][];
            /**
             * Format: int64
             * @description See [`Assignment::fence`].
             */
            fence: number;
        };
        /** @description Acknowledges events and gives orders. */
        HeartbeatReply: {
            /**
             * Format: int64
             * @description Events up to this number are stored.
             */
            acknowledged: number;
            /** @description Orders, each given once and repeated until the agent has acted on it. */
            directives: components["schemas"]["Directive"][];
            /**
             * Format: int32
             * @description The lease ends this long after this reply.
             */
            lease_seconds: number;
            terms?: components["schemas"]["RentalTerms"] | null;
        };
        /** @description How to use a model version, as its owner says. What is left out is not said. */
        HowToUse: {
            /**
             * Format: double
             * @description Classifier-free guidance.
             */
            guidance?: number | null;
            /**
             * Format: int32
             * @description Denoising steps.
             */
            n_steps?: number | null;
            /**
             * @description An example of a negative prompt.
             * @default
             */
            negative_prompt: string;
            /**
             * @description An example of a prompt.
             * @default
             */
            prompt: string;
            sampler?: components["schemas"]["Sampler"] | null;
            /**
             * @description Words that activate it; empty for the trigger word that it was trained with or imported with.
             * @default []
             */
            trigger_words: string[];
            /**
             * Format: double
             * @description Weight.
             */
            weight?: number | null;
        };
        /** @description A finished picture. */
        ImageData: {
            /** @description The PNG file in Base64, if `response_format` is `b64_json`. */
            b64_json?: string | null;
            /** @description The prompt that was drawn, if it is another than was sent: LoRA tags are taken out. */
            revised_prompt?: string | null;
            /** @description Seed of the initial noise, up to 18446744073709551615. Random if it is omitted or -1. One above 9007199254740991 is written as a string, so that JavaScript keeps all of its digits. */
            seed?: number | string | null;
            /** @description Signed URL of the PNG file, if `response_format` is `url`; valid for an hour. */
            url?: string | null;
        };
        /**
         * @description How a picture is sent.
         * @enum {string}
         */
        ImageFormat: "url" | "b64_json";
        /**
         * @description Requests pictures, as clients of OpenAI's API do. `negative_prompt`, `seed`, `steps`, `guidance` and `sampler` are
         *     additions (`extra_body` of OpenAI's Python client).
         */
        ImagesRequest: {
            /** @description `auto` or `opaque`: pictures have no transparency. */
            background?: string | null;
            /**
             * Format: double
             * @description Classifier-free guidance: how closely the prompt is followed. 1 switches it off.
             * @default 5
             */
            guidance: number | null;
            /**
             * @description A base model, or a model of the library: its newest approved version is then applied to the base model that it was
             *     trained on. `GET /v1/models` lists both.
             */
            model: string;
            /** @description Has no effect here: nothing judges what pictures show. */
            moderation?: string | null;
            /**
             * Format: int32
             * @description Number of pictures.
             * @default 1
             */
            n: number | null;
            /** @description What the pictures should not show. Read like the prompt, without LoRAs. */
            negative_prompt?: string | null;
            /**
             * Format: int32
             * @description 100, since PNG files are compressed without loss.
             */
            output_compression?: number | null;
            /** @description `png`, the only one. */
            output_format?: string | null;
            /**
             * Format: int32
             * @description 0: pictures are sent when they are finished.
             */
            partial_images?: number | null;
            /** @description What the pictures should show. Read like the prompt of a generation: `<lora:NAME:WEIGHT>` adds a LoRA. */
            prompt: string;
            /** @description Has no effect here; `steps` sets how long a picture is worked on. */
            quality?: string | null;
            response_format?: components["schemas"]["ImageFormat"] | null;
            sampler?: components["schemas"]["Sampler"] | null;
            /** @description Seed of the initial noise, up to 18446744073709551615. Random if it is omitted or -1. One above 9007199254740991 is written as a string, so that JavaScript keeps all of its digits. */
            seed?: number | string | null;
            /** @description `auto` for the size of the base model, or `WIDTHxHEIGHT` in pixels, each a multiple of 8 from 64 to 2048. */
            size?: string | null;
            /**
             * Format: int32
             * @description Denoising steps.
             * @default 25
             */
            steps: number | null;
            /** @description `false`: pictures are sent when they are finished. */
            stream?: boolean | null;
            /** @description Has no effect here; the prompt and its LoRAs set the style. */
            style?: string | null;
            /** @description Has no effect here; the audit log names the token. */
            user?: string | null;
        };
        /** @description Finished pictures. */
        ImagesResponse: {
            /**
             * Format: int64
             * @description When they were requested, in seconds since 1970.
             */
            created: number;
            /** @description The pictures, in the order of their seeds. */
            data: components["schemas"]["ImageData"][];
            /** @description `png`. */
            output_format: string;
        };
        /**
         * @description What a file is that no job trained, where it is from, and what of it is applied.
         *
         *     Nothing was measured with it: a version that was imported or made out of others has no verdict.
         */
        Imported: {
            /** @description Its owner agreed to use it even if a part of it is not applied. */
            allow_partial: boolean;
            /** @description Class of the base models that it fits. */
            base_class: components["schemas"]["BaseClass"];
            /** @description How its modules are named. */
            format: components["schemas"]["LoraFormat"];
            /** @description Modules that are applied, by kind. */
            kinds: components["schemas"]["KindCount"][];
            /** @description What is not applied, by reason. */
            left_out?: components["schemas"]["LeftOut"][];
            /** @description The license that its owner named. */
            license?: string | null;
            made?: components["schemas"]["Made"] | null;
            /** @description How many they are. */
            n_modules: number;
            /** @description The largest rank. */
            rank_max?: number | null;
            /** @description The smallest rank; absent where nothing has one. */
            rank_min?: number | null;
            /** @description Where its owner has it from: a note or an address. */
            source?: string | null;
            /** @description The base model that it was trained on, as the file says. */
            trained_on?: string | null;
            /** @description Words that activate it in a prompt: typed by the owner, or from the file. */
            trigger_words?: string[];
        };
        /** @description Settings of another trainer, as far as a recipe can have them. */
        ImportedRecipe: {
            /** @description Name of the base model's file. */
            base_model?: string | null;
            /** @description Where they come from. */
            format: components["schemas"]["RecipeFormat"];
            /** @description What has no counterpart. */
            left_out: components["schemas"]["LeftOutSetting"][];
            /**
             * Format: int32
             * @description Length in epochs, if it was said so.
             */
            n_epochs?: number | null;
            /** @description Name of the result. */
            name?: string | null;
            /** @description What a person should know, as sentences. */
            notes: string[];
            /** @description Hyperparameters, those among them that the other trainer has a default for. */
            parameters: components["schemas"]["ParameterOverrides"];
            /** @description The preview pictures. */
            sample_prompts?: components["schemas"]["SamplePrompt"][];
            /** @description The word that calls the LoRA up. */
            trigger_word?: string | null;
        };
        /** @description The parts of an import, in any order. */
        ImportForm: {
            /** @description Use the file although a part of it cannot be applied. */
            allow_partial?: boolean | null;
            /** @description Name of a base model that it is for. It can be used with all of that size. */
            base_model: string;
            /**
             * Format: binary
             * @description The `adapter_config.json` that lies beside a file of PEFT, sent with a file name: it has the alphas.
             */
            config?: string | null;
            /**
             * Format: binary
             * @description The LoRA: a safetensors file, or a PEFT folder as a zip archive.
             */
            file: string;
            /** @description Its license. */
            license?: string | null;
            /** @description Name of the model that it becomes a version of; if omitted, that of the file. */
            name?: string | null;
            /** @description Where it is from: a note or an address. */
            source?: string | null;
            /** @description Words that activate it in a prompt, with commas between them; if omitted, those of the file's metadata. */
            trigger_words?: string | null;
        };
        /** @description Reads settings of another trainer. */
        ImportRecipe: {
            /** @description The file, or the command line; its format is told by what it says. */
            text: string;
        };
        /**
         * @description Phase of a rented machine.
         * @enum {string}
         */
        InstancePhase: "intent" | "unknown" | "live" | "ending" | "abandoned" | "gone";
        /** @description What the agent should do without the file. */
        Instead: {
            /** @enum {string} */
            do: "fetch_again";
        } | {
            /** @enum {string} */
            do: "go_on";
            resume_from?: components["schemas"]["StoredFile"] | null;
        } | {
            /** @enum {string} */
            do: "give_up";
            /** @description The reason and what the owner can do; becomes the detail of the failure. */
            reason: string;
        };
        /** @description One picture of a dataset. */
        Item: {
            /** @description What the picture shows, in the words of a prompt. */
            caption: string;
            damage?: components["schemas"]["Damage"] | null;
            /** @description File name at upload. */
            file_name: string;
            /**
             * @description The group that it belongs to; empty if to none. A folder of an uploaded archive is one.
             * @default
             */
            group: string;
            /**
             * @description It has a mask picture, which says where it is learned: `GET …/items/{item_id}/mask`.
             * @default false
             */
            has_mask: boolean;
            /**
             * Format: int32
             * @description Height of the normalized picture in pixels.
             */
            height: number;
            /** @description Its id. */
            id: components["schemas"]["ItemId"];
            /** @description Notes on what was changed at upload: `rotated as its EXIF tag says`. */
            notes: string[];
            panel?: components["schemas"]["PanelOf"] | null;
            /**
             * @description It shows what the trigger word is not: it is trained on without the word, so that the rest of its kind stays as it
             *     is. See `prior_loss_weight`.
             * @default false
             */
            regularization: boolean;
            /**
             * Format: int32
             * @description How many times an epoch shows it.
             * @default 1
             */
            repeats: number;
            /**
             * @description It is a comic page that was split: its panels are trained on instead of it.
             * @default false
             */
            set_aside: boolean;
            /** @description SHA-256 of the stored file, in hexadecimal. */
            sha256: string;
            /**
             * Format: int32
             * @description How steep the sharpest edges of the picture are, in thousandths of a step from one pixel to the next at about 1024
             *     pixels; absent where it has no edges, or was not measured yet.
             */
            sharpness?: number | null;
            /**
             * Format: int64
             * @description Size of the stored file.
             */
            size_bytes: number;
            /** @description What it is used for. */
            split: components["schemas"]["Split"];
            /** @description Signed URL of the picture, valid for one hour. */
            url: string;
            /**
             * Format: int32
             * @description Width of the normalized picture in pixels.
             */
            width: number;
        };
        /**
         * Format: uuid
         * @description One picture of a dataset.
         */
        ItemId: string;
        /** @description One training. */
        Job: {
            /**
             * Format: int32
             * @description Optimizer steps at the newest checkpoint.
             */
            checkpoint_step?: number | null;
            /**
             * Format: date-time
             * @description When it was created.
             */
            created_at: string;
            /** @description The dataset it was created from. */
            dataset_id: components["schemas"]["DatasetId"];
            /** @description The frozen pictures that it trains on. */
            dataset_version_id: components["schemas"]["DatasetVersionId"];
            /**
             * Format: date-time
             * @description When it ended.
             */
            ended_at?: string | null;
            /** @description Its id. */
            id: components["schemas"]["JobId"];
            /** @description Its next step is its last, or it is finished with its newest checkpoint: it was asked to end early with a result. */
            is_finishing?: boolean;
            /**
             * Format: int64
             * @description Number of the newest event of its stream.
             */
            last_seq: number;
            model_version_id?: components["schemas"]["ModelVersionId"] | null;
            /**
             * Format: int32
             * @description Number of attempts started so far.
             */
            n_attempts: number;
            /** @description Why it is run, as its owner wrote. */
            note?: string | null;
            /** @description Its phase. */
            phase: components["schemas"]["Phase"];
            /**
             * Format: int32
             * @description Higher runs first.
             */
            priority: number;
            progress?: components["schemas"]["StepMetrics"] | null;
            /** @description The project of the job. */
            project?: string | null;
            /** @description The provider of the machine. */
            provider: string;
            /** @description The reason for the phase, for a person. */
            reason?: string | null;
            /** @description The fully resolved configuration. */
            recipe: components["schemas"]["Recipe"];
            rental?: components["schemas"]["RentalWish"] | null;
            /** @description Its cost limit and its cost so far. */
            spend: components["schemas"]["JobSpend"];
            stamp?: components["schemas"]["Stamp"] | null;
            /**
             * Format: date-time
             * @description When an agent first started to work on it.
             */
            started_at?: string | null;
            version_of?: components["schemas"]["JobId"] | null;
        };
        /** @description What a job would do, without creating it. */
        JobEstimate: {
            /** @description Sizes at which the pictures would be trained. */
            buckets: components["schemas"]["EstimatedBucket"][];
            /** @description Budgets that apply in addition to its own limit. */
            budgets: components["schemas"]["Budget"][];
            /**
             * Format: int64
             * @description Size of the trained file in bytes, without its metadata; absent where it follows from more than the ranks.
             */
            file_bytes?: number | null;
            /** @description What the checks of the dataset find for this training, errors first. */
            findings?: components["schemas"]["Finding"][];
            /** @description Identifies the configuration and prices above; required to create a job on a rented machine. */
            hash: string;
            least_limit_micro_usd?: components["schemas"]["MicroUsd"] | null;
            /**
             * Format: int32
             * @description GPU memory that the training needs, in GB; a rough estimate.
             */
            memory_gb: number;
            /**
             * Format: int32
             * @description Epochs, the last one perhaps incomplete.
             */
            n_epochs: number;
            /**
             * Format: int32
             * @description Pictures that would be held out for validation.
             */
            n_held_out_items: number;
            /**
             * Format: int32
             * @description Optimizer steps in one epoch.
             */
            n_steps_per_epoch: number;
            /**
             * Format: int32
             * @description Pictures that would be trained on.
             */
            n_train_items: number;
            /**
             * Format: int32
             * @description Pictures that the training would see, each counted every time.
             */
            n_views: number;
            /** @description Hyperparameters that were chosen and have no effect, and what it would take. */
            notes?: components["schemas"]["FieldError"][];
            /** @description Time and cost on each type of machine that can be rented; empty if the provider rents none. */
            offers: components["schemas"]["OfferEstimate"][];
            /** @description The fully resolved configuration. */
            recipe: components["schemas"]["Recipe"];
            /**
             * Format: double
             * @description Expected training time, based on this installation's finished jobs; absent without a similar job.
             */
            seconds?: number | null;
            /** @description The first pictures as the training would see them. */
            seen?: components["schemas"]["SeenPicture"][];
        };
        /** @description One event of a job's stream, as `WS /api/v1/jobs/{id}/events` sends it. */
        JobEvent: components["schemas"]["Event"] & {
            /**
             * Format: date-time
             * @description When it happened.
             */
            at: string;
            attempt_id?: components["schemas"]["AttemptId"] | null;
            /**
             * Format: int64
             * @description Position in the job's stream: 1, 2, 3, … without gaps. Send the last one seen as `after` to resume.
             */
            seq: number;
        };
        /**
         * Format: uuid
         * @description One training that a user submitted.
         */
        JobId: string;
        /** @description What was found out about the results of a job. */
        JobJudgements: {
            /** @description Of its stored checkpoints, in the order of their steps. */
            checkpoints: components["schemas"]["JudgedStep"][];
            recommendation?: components["schemas"]["Recommendation"] | null;
            result?: components["schemas"]["JudgedStep"] | null;
        };
        /** @description How one picture fares in a job. */
        JobPicture: components["schemas"]["PictureOfJob"] & {
            /**
             * Format: double
             * @description Its loss when it was seen last.
             */
            last_loss: number;
            /**
             * Format: int32
             * @description The step that saw it last.
             */
            last_step: number;
            /**
             * Format: int32
             * @description Times that it was seen.
             */
            n_seen: number;
            /**
             * Format: double
             * @description Mean of its losses, each divided by the mean loss of its band: 1 is as usual, above 1 is harder.
             */
            relative_loss: number;
        };
        /**
         * @description How the pictures of a job fare, those that it struggles with first.
         *
         *     The loss says more about the noise than about the picture, so each loss is divided by the job's mean loss of its band:
         *     100 timesteps. Losses are those from before they are weighted, by min-SNR for example.
         */
        JobPictures: {
            /**
             * Format: int32
             * @description Optimizer steps whose pictures are known. Engines other than the native one do not report them.
             */
            n_steps: number;
            /** @description Pictures that were seen at least once, the highest relative loss first. */
            pictures: components["schemas"]["JobPicture"][];
        };
        /** @description Cost and limit of a job. */
        JobSpend: {
            limit_micro_usd?: components["schemas"]["MicroUsd"] | null;
            /** @description Cost per hour of its running machines, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Reserved for the worst case of its running machines, in micro-dollars. */
            reserved_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Cost so far, in micro-dollars; an upper bound until the provider has billed it. */
            spent_micro_usd: components["schemas"]["MicroUsd"];
        };
        /** @description One optimizer step with what it saw. */
        JobStep: {
            /**
             * Format: date-time
             * @description When it was reported.
             */
            at: string;
            /**
             * Format: double
             * @description Learning rate used by it.
             */
            learning_rate: number;
            /**
             * Format: double
             * @description Training loss of its batch, weighted.
             */
            loss: number;
            /** @description What it saw; empty as long as it is not reported, and for engines that do not report it. */
            pictures: components["schemas"]["StepPicture"][];
            /**
             * Format: int32
             * @description The optimizer step; from 1.
             */
            step: number;
            /**
             * Format: double
             * @description Wall-clock time of the step, in milliseconds.
             */
            step_ms: number;
        };
        /** @description What was found out about a LoRA of so many steps. */
        JudgedStep: {
            /** @description What it was found to be. */
            judgement: components["schemas"]["Judgement"];
            /** @description The stored pictures of the evidence. */
            pictures: components["schemas"]["EvidencePicture"][];
            /**
             * Format: int32
             * @description Optimizer steps done.
             */
            step: number;
        };
        /** @description What a LoRA is worth, with the measurements behind it. */
        Judgement: {
            /** @description What to do next. */
            advice: components["schemas"]["Advice"];
            /** @description The pictures that show it. */
            evidence: components["schemas"]["Evidence"][];
            /** @description The measurements. */
            measures: components["schemas"]["Measure"][];
            /**
             * Format: double
             * @description How good it is among the checkpoints of its job, from 0 to 1; for comparing, not for showing.
             */
            score: number;
            /**
             * Format: double
             * @description Upper end of it.
             */
            score_high: number;
            /**
             * Format: double
             * @description Lower end of the score's 95 % bootstrap interval.
             */
            score_low: number;
            /**
             * Format: double
             * @description Seconds that judging took.
             */
            seconds: number;
            /** @description Why, in one sentence for the person who trained it. */
            sentence: string;
            /** @description What it was found to be. */
            stamp: components["schemas"]["Stamp"];
        };
        /**
         * @description By what a rank is chosen for each module; sd-scripts' rules.
         * @enum {string}
         */
        KeepBy: "frobenius" | "cumulative" | "ratio";
        /** @description How much of a change is kept. */
        KeepRule: {
            by?: components["schemas"]["KeepBy"] | null;
            /**
             * Format: int32
             * @description The largest rank of convolutions; absent for that of the others.
             */
            conv_rank?: number | null;
            /**
             * Format: int32
             * @description The largest rank; absent for any.
             */
            rank?: number | null;
            /**
             * Format: double
             * @description The number for it.
             */
            value?: number | null;
        };
        /** @description How many modules are of a kind. */
        KindCount: {
            /** @description The kind. */
            kind: components["schemas"]["LoraFileKind"];
            /** @description How many. */
            n_modules: number;
        };
        /** @description What the server knows of a base model beside its files. */
        KnownOfBase: {
            measured?: components["schemas"]["Measured"] | null;
            prediction?: components["schemas"]["Prediction"] | null;
            vae?: components["schemas"]["BaseLocation"] | null;
        };
        /** @description The star, tags and note of one thing. */
        Label: {
            /** @description Its id. */
            id: components["schemas"]["LabelId"];
            /** @description What it is on. */
            kind: components["schemas"]["Labeled"];
            /** @description A note of one line; empty without one. That of a job is in the job itself. */
            note: string;
            /** @description It has a star. */
            starred: boolean;
            /**
             * Format: uuid
             * @description Id of the job, model or generation.
             */
            subject_id: string;
            /** @description Its tags, each once, in the order in which they were given. */
            tags: string[];
            /**
             * Format: date-time
             * @description When it was changed last.
             */
            updated_at: string;
        };
        /**
         * @description What can be labeled.
         * @enum {string}
         */
        Labeled: "job" | "model" | "generation";
        /**
         * Format: uuid
         * @description The star, tags and note of a job, a model or a picture.
         */
        LabelId: string;
        /**
         * @description An account of the ledger. Every entry moves money from one account to another.
         * @enum {string}
         */
        LedgerAccount: "available" | "reserved" | "spent";
        /** @description One entry of the ledger; entries are never changed. */
        LedgerEntry: {
            /** @description Amount in micro-dollars; above 0. */
            amount_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: date-time
             * @description Time of the entry, by the provider's clock.
             */
            at: string;
            /** @description What that drawing session is called. */
            drawing_session?: string | null;
            drawing_session_id?: components["schemas"]["DrawingSessionId"] | null;
            /** @description Account that the money left. */
            from: components["schemas"]["LedgerAccount"];
            /** @description Name of the machine. */
            instance: string;
            job_id?: components["schemas"]["JobId"] | null;
            /** @description Kind of the entry. */
            kind: components["schemas"]["LedgerKind"];
            /** @description Account that received the money. */
            to: components["schemas"]["LedgerAccount"];
        };
        /**
         * @description Kind of a ledger entry.
         * @enum {string}
         */
        LedgerKind: "reserve" | "top_up" | "accrue" | "release" | "true_up";
        /** @description Parts of a file that are not applied, for one reason. */
        LeftOut: {
            /** @description Names of some of them, as the file has them. */
            examples: string[];
            /** @description How many there are: modules, or tensors outside of modules. */
            n: number;
            /** @description Whether the file is used only by an explicit yes. */
            needs_consent: boolean;
            /** @description Why, so that "is" may stand before it: "not known". */
            reason: string;
        };
        /** @description Something that has no counterpart on the other side. */
        LeftOutSetting: {
            /** @description What it is called there, or here. */
            key: string;
            /** @description Why it was left out: the rest of a sentence that begins with it. */
            reason: string;
            /** @description Its value. */
            value: string;
        };
        /** @description A part of a file that is not used. */
        Leftover: {
            /** @description The module, or a tensor's name, as the file has it. */
            name: string;
            /**
             * @description Whether the file is used only by an explicit yes. Of a text embedding that lies in the file people are told, no
             *     more: every module of the LoRA is applied.
             */
            needs_consent: boolean;
            /** @description Why, so that "is" may stand before it: "not known". */
            reason: string;
        };
        /** @description Exchanges a token for a session cookie. */
        Login: {
            /** @description The token of the login address that the server printed, or an API token. */
            token: string;
        };
        /**
         * @description How grave a log line is.
         * @enum {string}
         */
        LogLevel: "info" | "warning" | "error";
        /** @description The folder that a setting of the server names, and what was copied there. */
        LoraCopies: {
            /** @description Approved versions and their copies. */
            copies: components["schemas"]["LoraCopy"][];
            /** @description The folder, on the machine of the server that answers; absent if no setting names one. */
            folder?: string | null;
            /** @description Why nothing can be copied there for now; the server tries again by itself. */
            problem?: string | null;
        };
        /** @description The copy of one approved version. */
        LoraCopy: {
            /** @description Name of its file in the folder. */
            file_name: string;
            /** @description The version. */
            model_version_id: components["schemas"]["ModelVersionId"];
            /** @description Why it is not there for now; the server tries again by itself. */
            problem?: string | null;
        };
        /** @description A file that is made out of others, or was. */
        LoraEdit: {
            /**
             * Format: date-time
             * @description When it was requested.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it ended.
             */
            ended_at?: string | null;
            /** @description Why it failed. */
            error?: string | null;
            /**
             * @description Name of the file to download; absent if the result is a model version, or until there is one. Such files are
             *     kept for a week.
             */
            file_name?: string | null;
            /** @description Its id. */
            id: components["schemas"]["EditId"];
            /** @description Its owner asked to cancel it. */
            is_cancelling?: boolean;
            model_version_id?: components["schemas"]["ModelVersionId"] | null;
            /** @description What a person should know: what was left out, added, or lost. */
            notes?: string[];
            /** @description Its phase. */
            phase: components["schemas"]["EditPhase"];
            progress?: components["schemas"]["EditProgress"] | null;
            /** @description The request. */
            request: components["schemas"]["CreateEdit"];
        };
        /**
         * @description How a layer is changed.
         * @enum {string}
         */
        LoraFileKind: "lora" | "locon" | "loha" | "lokr" | "dora" | "glora" | "ia3" | "oft" | "full" | "bias";
        /**
         * @description How the modules of a file are named.
         * @enum {string}
         */
        LoraFormat: "kohya" | "diffusers" | "peft" | "other";
        /**
         * @description A kind of LoRA.
         * @enum {string}
         */
        LoraKind: "lora" | "dora" | "loha" | "lokr" | "t_lora";
        /**
         * @description Whose names a file's tensors get.
         * @enum {string}
         */
        LoraNames: "kohya" | "diffusers" | "peft";
        /** @description What a LoRA file holds, and what of it is used. */
        LoraSummary: {
            /** @description How its modules are named. */
            format: components["schemas"]["LoraFormat"];
            /** @description Modules that are used, by kind. */
            kinds: components["schemas"]["KindCount"][];
            /** @description What is not used. */
            leftovers?: components["schemas"]["Leftover"][];
            /** @description How many they are. */
            n_modules: number;
            /** @description The largest rank. */
            rank_max?: number | null;
            /** @description The smallest rank; absent where nothing has one. */
            rank_min?: number | null;
            /** @description Name of the base model it was trained on, as the file's header has it. */
            trained_on?: string | null;
            /** @description Words that call it up, as the file's header has them. */
            trigger_words?: string[];
        };
        /** @description A LoRA and how strongly it is applied. */
        LoraWeight: {
            /** @description The LoRA. */
            model_version_id: components["schemas"]["ModelVersionId"];
            /**
             * @description Applies what of the file fits the base model and leaves the rest out. Without it, a LoRA of which a part cannot be
             *     applied is refused, with the reasons.
             */
            partial?: boolean;
            /**
             * Format: double
             * @description Weight: 0 leaves the base unchanged, 1 applies the LoRA as trained; may be negative.
             * @default 1
             */
            weight: number;
        };
        /** @description A machine, as its agent describes it. */
        Machine: {
            /** @description What its engines can compute on. */
            devices?: components["schemas"]["DeviceKind"][];
            /** @description What it can train with. */
            engines: components["schemas"]["Engine"][];
            /** @description Its first GPU, as its driver calls it; absent when it has none. */
            gpu?: string | null;
            /** @description Whether it has diffusers, which draws pictures on its GPU; absent if its agent does not say it. */
            has_diffusers?: boolean | null;
            /** @description What jobs may ask for, at most 16. */
            labels: string[];
            /** @description The kinds of LoRA that it can train. */
            lora_kinds?: components["schemas"]["LoraKind"][];
            /**
             * Format: int32
             * @description Memory of that GPU, in GB.
             */
            memory_gb?: number | null;
            /** @description Its name, from 1 to 80 characters; another machine with the same token has another one. */
            name: string;
            /** @description Which messages its agent understands. */
            protocol?: components["schemas"]["Protocol"];
        };
        /** @description What a model version was made of. */
        Made: {
            /** @description What was done: "merged from ink × 1 + zora × 0.8 by concatenation". */
            done: string;
            /** @description The edit. */
            edit_id: components["schemas"]["EditId"];
            /** @description The versions that it was made of. */
            from: components["schemas"]["MadeFrom"][];
            /**
             * Format: double
             * @description Share of the Frobenius norm of the change that is left, from 0 to 1, if something was cut.
             */
            kept?: number | null;
            /** @description What a person should know. */
            notes?: string[];
        };
        /** @description One of the LoRAs that another was made of. */
        MadeFrom: {
            /** @description The version. */
            model_version_id: components["schemas"]["ModelVersionId"];
            /** @description Its model's name. */
            name: string;
            /**
             * Format: int32
             * @description Its number.
             */
            version: number;
            /**
             * Format: double
             * @description Its weight.
             */
            weight: number;
        };
        /** @description What a page was split into. */
        MadePanels: {
            /** @description Panels of an earlier split whose captions were edited since: they are kept. */
            kept: components["schemas"]["Item"][];
            /**
             * Format: int32
             * @description Number of panels of an earlier split that were replaced.
             */
            n_replaced: number;
            /** @description The page. It is set aside: its panels are trained on instead of it. */
            page: components["schemas"]["Item"];
            /** @description Its panels in reading order. */
            panels: components["schemas"]["Item"][];
            /** @description Panels that were not made, with the reason. */
            refused: components["schemas"]["RefusedFile"][];
        };
        /** @description Asks for a model version of a stored checkpoint. */
        MakeVersion: {
            /**
             * Format: int64
             * @description Total cost limit, in micro-dollars. Required for a provider with paid machines.
             */
            limit_micro_usd?: number | null;
            /** @description The provider of the machine that makes it. If omitted, that of the job, or `local` if that one costs money. */
            provider?: string | null;
            /**
             * Format: int32
             * @description Optimizer steps done at the checkpoint.
             */
            step: number;
        };
        /** @description A frozen dataset version: exactly what an engine trains on. */
        Manifest: {
            /** @description Id of the version. */
            id: components["schemas"]["DatasetVersionId"];
            /** @description The pictures, ordered by id. */
            items: components["schemas"]["ManifestItem"][];
        };
        /** @description One picture of a frozen dataset version. */
        ManifestItem: components["schemas"]["Showing"] & {
            /** @description Its caption. */
            caption: string;
            /**
             * Format: int32
             * @description Height in pixels.
             */
            height: number;
            /** @description Its id. */
            id: components["schemas"]["ItemId"];
            /** @description SHA-256 of the file, in hexadecimal; also its key in the object store. */
            sha256: string;
            /** @description What it is used for, decided when the version was frozen. */
            split: components["schemas"]["Split"];
            /**
             * Format: int32
             * @description Width in pixels.
             */
            width: number;
        };
        /** @description One measured number. */
        Measure: {
            /**
             * Format: double
             * @description The value of the base model by the same measurement, if there is one.
             */
            base?: number | null;
            /** @description What measured it, in a few words: `features of the base's U-Net`, `DINOv2-S`. */
            by: string;
            /**
             * Format: double
             * @description Upper end of that interval.
             */
            high?: number | null;
            /**
             * Format: double
             * @description Lower end of the 95 % bootstrap interval over prompts and seeds; absent for a number without sampling.
             */
            low?: number | null;
            /** @description What was measured, such as `likeness` or `prompt_obedience`. */
            name: string;
            /**
             * Format: double
             * @description The value.
             */
            value: number;
        };
        /** @description What the U-Net of a base model does, measured once on the weights. */
        Measured: {
            is?: components["schemas"]["Prediction"] | null;
            /** @description The loss under each reading. */
            losses: components["schemas"]["ReadingLoss"][];
            /**
             * Format: int32
             * @description Version of the method; what an older one measured is measured again.
             */
            method: number;
        };
        /**
         * @description How LoRAs are merged.
         * @enum {string}
         */
        MergeMethod: "concatenate" | "svd" | "np_lora";
        /** @description How LoRAs are merged, with its numbers. */
        Merging: {
            /** @enum {string} */
            method: "concatenate";
        } | {
            /** @description How much is kept. */
            keep: components["schemas"]["KeepRule"];
            /** @enum {string} */
            method: "svd";
        } | {
            /** @enum {string} */
            method: "np_lora";
            /**
             * Format: double
             * @description Share of the style's norm that is protected.
             */
            protect: number;
            /**
             * Format: double
             * @description μ; absent for a hard projection.
             */
            strength?: number | null;
        };
        /**
         * @description The step metrics of a job, in columns, for a chart.
         *
         *     If there are more steps than requested entries, each entry stands for a bucket of steps: `loss_min`
         *     and `loss_max` are its extremes, all other values are those of its last step.
         */
        Metrics: {
            /** @description Mean loss of the last epoch's worth of steps. */
            average_loss: number[];
            /** @description Gradient norm before clipping. */
            gradient_norm: number[];
            /**
             * Format: int64
             * @description Number of the newest event that is included; follow the WebSocket from here.
             */
            last_seq: number;
            /** @description Learning rate. */
            learning_rate: number[];
            /** @description Training loss. */
            loss: number[];
            /** @description Highest loss of the bucket. */
            loss_max: number[];
            /** @description Lowest loss of the bucket. */
            loss_min: number[];
            /** @description Optimizer step. */
            step: number[];
            /** @description Time of the step, in milliseconds. */
            step_ms?: number[];
            /** @description Validation losses: optimizer step and loss. */
            validation: [
                number,
                number
            ][];
        };
        /**
         * Format: int64
         * @description An amount of money in millionths of a US dollar.
         */
        MicroUsd: number;
        /** @description A named LoRA with its versions, the newest first. */
        Model: {
            cover_artifact_id?: components["schemas"]["ArtifactId"] | null;
            /**
             * @description Signed URL of its cover: the picture that its owner chose; else the newest sample of the current version's job, or
             *     the fixed-seed picture with it.
             */
            cover_url?: string | null;
            /**
             * Format: date-time
             * @description When its first version was created.
             */
            created_at: string;
            current_version_id?: components["schemas"]["ModelVersionId"] | null;
            /** @description Its id. */
            id: components["schemas"]["ModelId"];
            /** @description Its owner chose the current version. */
            is_pinned?: boolean;
            /** @description Its name. */
            name: string;
            /** @description Its versions, the newest first. */
            versions: components["schemas"]["ModelVersion"][];
        };
        /** @description Chooses the cover of a model and the version that it is used by. What is left out is chosen by the server. */
        ModelChoices: {
            cover_artifact_id?: components["schemas"]["ArtifactId"] | null;
            cover_generation_id?: components["schemas"]["GenerationId"] | null;
            version_id?: components["schemas"]["ModelVersionId"] | null;
        };
        /** @description Something that a request for pictures may name as its model. */
        ModelEntry: {
            /** @description The base model that a model of the library is applied to; an addition to OpenAI's API. */
            base_model?: string | null;
            /**
             * Format: int64
             * @description When the version that is used was made, in seconds since 1970; 0 for a base model.
             */
            created: number;
            /** @description Its name. */
            id: string;
            /** @description `model`. */
            object: string;
            /** @description `morpheus`. */
            owned_by: string;
            /** @description The word that activates a model of the library in a prompt; an addition to OpenAI's API. */
            trigger_word?: string | null;
        };
        /**
         * Format: uuid
         * @description A named LoRA; its files are its versions.
         */
        ModelId: string;
        /** @description What a request for pictures may name as its model. */
        ModelsResponse: {
            /** @description Base models, then models of the library with an approved version. */
            data: components["schemas"]["ModelEntry"][];
            /** @description `list`. */
            object: string;
        };
        /** @description One LoRA offered for use: a job trained it, or it was imported. */
        ModelVersion: {
            /** @description Signed URL of the fixed-seed picture with the LoRA. */
            after_url?: string | null;
            /** @description The base model it was trained on, or that it was imported for. */
            base_model: string;
            /** @description Signed URL of the fixed-seed picture without the LoRA. */
            before_url?: string | null;
            /**
             * Format: date-time
             * @description When it was created.
             */
            created_at: string;
            damage?: components["schemas"]["Damage"] | null;
            dataset_version_id?: components["schemas"]["DatasetVersionId"] | null;
            /** @description The stored pictures of the judgement's evidence. */
            evidence?: components["schemas"]["EvidencePicture"][];
            /** @description Name of the file. */
            file_name: string;
            /** @description Its id. */
            id: components["schemas"]["ModelVersionId"];
            imported?: components["schemas"]["Imported"] | null;
            job_id?: components["schemas"]["JobId"] | null;
            judgement?: components["schemas"]["Judgement"] | null;
            /** @description The file's own metadata: `ss_*`, `modelspec.*`, `sshs_*`. */
            metadata: {
                [key: string]: string;
            };
            /** @description The model it belongs to. */
            model_id: components["schemas"]["ModelId"];
            /**
             * Format: int32
             * @description Optimizer steps it was trained for; absent if it was imported.
             */
            n_steps?: number | null;
            /** @description The model's name. */
            name: string;
            /** @description SHA-256 of the file, in hexadecimal. */
            sha256: string;
            /**
             * Format: int64
             * @description Size of the file.
             */
            size_bytes: number;
            /** @description Its stage. */
            stage: components["schemas"]["Stage"];
            /** @description The word that activates it in a prompt. */
            trigger_word?: string | null;
            usage?: components["schemas"]["HowToUse"] | null;
            verdict?: components["schemas"]["Verdict"] | null;
            /**
             * Format: int32
             * @description 1, 2, 3, … within the model.
             */
            version: number;
        };
        /**
         * Format: uuid
         * @description One trained LoRA offered for use.
         */
        ModelVersionId: string;
        /** @description How much a LoRA changes one module. */
        ModuleNorm: {
            /** @description The module, in kohya's naming: `lora_unet_input_blocks_4_1_proj_in`. */
            module: string;
            /**
             * Format: double
             * @description Frobenius norm of the change.
             */
            norm: number;
        };
        /** @description A base model with the name that its owner knows. */
        NamedBase: {
            /** @description Where this machine finds it. */
            location: components["schemas"]["BaseLocation"];
            /** @description Its name. */
            name: string;
        };
        /** @description A stored file with the name that its owner knows. */
        NamedFile: components["schemas"]["StoredFile"] & {
            /** @description Name without ending. */
            name: string;
        };
        /** @description Announces a file. */
        NewArtifact: components["schemas"]["ArtifactKind"] & {
            /**
             * Format: int64
             * @description See [`Assignment::fence`].
             */
            fence: number;
            /** @description File name for downloads: no path, at most 200 characters. */
            file_name: string;
            /** @description SHA-256, in hexadecimal. */
            sha256: string;
            /**
             * Format: int64
             * @description Size.
             */
            size_bytes: number;
        };
        /** @description The body of a notice, as a webhook receives it. */
        Notice: {
            /** @description The details. */
            data: components["schemas"]["NoticeData"];
            /**
             * Format: date-time
             * @description When it happened.
             */
            timestamp: string;
            /** @description What it tells of. */
            type: components["schemas"]["NoticeKind"];
            /**
             * Format: int32
             * @description Version of this format: 1.
             */
            version: number;
        };
        /** @description Details of a notice. */
        NoticeData: {
            job?: components["schemas"]["NoticeJob"] | null;
            /** @description One sentence for a person. */
            message: string;
        };
        /** @description A job in a notice. */
        NoticeJob: {
            /** @description The base model it trains on. */
            base_model: string;
            /** @description Its id. */
            id: components["schemas"]["JobId"];
            model_version_id?: components["schemas"]["ModelVersionId"] | null;
            /** @description Name of the LoRA. */
            name: string;
            /** @description Its phase when the notice was written. */
            phase: components["schemas"]["Phase"];
            /** @description Why it is in this phase, for a person. */
            reason?: string | null;
            /** @description Amount spent on rented machines, in micro-dollars. */
            spent_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Its page, if the server has a public URL. */
            url?: string | null;
        };
        /**
         * @description What a notice tells of.
         * @enum {string}
         */
        NoticeKind: "job.succeeded" | "job.failed" | "job.stopped" | "job.limit_reached" | "job.waits_for_money" | "disk.short" | "test";
        /** @description Estimated time and cost of a job on one type of rented machine. */
        OfferEstimate: {
            /** @description Tier. */
            cloud: components["schemas"]["CloudTier"];
            /** @description Cost of that time, in micro-dollars. */
            cost_micro_usd: components["schemas"]["Spread_MicroUsd"];
            /** @description Id of the GPU type. */
            gpu: string;
            /** @description Display name. */
            gpu_name: string;
            /** @description Whether the provider reports it as available. */
            is_in_stock: boolean;
            /** @description Whether the times are based on this installation's own jobs; otherwise on a table of GPU speeds. */
            is_measured: boolean;
            /** @description Amount that the budgets must have available to start, in micro-dollars: startup plus a minimum of work. */
            least_limit_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: int32
             * @description Memory of each GPU, in GB.
             */
            memory_gb: number;
            /**
             * Format: int32
             * @description Number of GPUs in the machine.
             */
            n_gpus: number;
            /** @description Price per hour, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Time from ordering the machine to its termination, in seconds. */
            seconds: components["schemas"]["Spread_f64"];
            /** @description Why the job cannot run on it; absent if it can. */
            unfit?: string | null;
        };
        /**
         * @description How an attempt ended.
         * @enum {string}
         */
        Outcome: "completed" | "stopped" | "cancelled" | "failed" | "lost" | "never_started";
        /** @description A preset of a user's own: one of the program's, and what differs from it. */
        OwnPreset: {
            /**
             * Format: date-time
             * @description When it was saved.
             */
            created_at: string;
            /** @description The family of base models that it was made for. */
            family: components["schemas"]["Family"];
            /** @description Its id. */
            id: components["schemas"]["PresetId"];
            /** @description Its name. */
            name: string;
            /** @description What differs. */
            parameters: components["schemas"]["ParameterOverrides"];
            /** @description The preset that it starts from. */
            preset: components["schemas"]["Preset"];
        };
        /** @description One page of a list, newest first unless the route says otherwise. */
        Page_AuditEntry: {
            /** @description The entries. */
            items: components["schemas"]["AuditEntry"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
        };
        /** @description One page of a list, newest first unless the route says otherwise. */
        Page_CaptionProposal: {
            /** @description The entries. */
            items: components["schemas"]["CaptionProposal"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
        };
        /** @description One page of a list, newest first unless the route says otherwise. */
        Page_Dataset: {
            /** @description The entries. */
            items: components["schemas"]["Dataset"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
        };
        /** @description One page of a list, newest first unless the route says otherwise. */
        Page_Delivery: {
            /** @description The entries. */
            items: components["schemas"]["Delivery"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
        };
        /** @description One page of a list, newest first unless the route says otherwise. */
        Page_DrawingSession: {
            /** @description The entries. */
            items: components["schemas"]["DrawingSession"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
        };
        /** @description One page of a list, newest first unless the route says otherwise. */
        Page_Generation: {
            /** @description The entries. */
            items: components["schemas"]["Generation"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
        };
        /** @description One page of a list, newest first unless the route says otherwise. */
        Page_Item: {
            /** @description The entries. */
            items: components["schemas"]["Item"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
        };
        /** @description One page of a list, newest first unless the route says otherwise. */
        Page_Job: {
            /** @description The entries. */
            items: components["schemas"]["Job"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
        };
        /** @description One page of a list, newest first unless the route says otherwise. */
        Page_Label: {
            /** @description The entries. */
            items: components["schemas"]["Label"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
        };
        /** @description One page of a list, newest first unless the route says otherwise. */
        Page_LoraEdit: {
            /** @description The entries. */
            items: components["schemas"]["LoraEdit"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
        };
        /** @description One page of a list, newest first unless the route says otherwise. */
        Page_Model: {
            /** @description The entries. */
            items: components["schemas"]["Model"][];
            /** @description Pass this as `after` to get the next page; absent on the last page. */
            next?: string | null;
        };
        /** @description A rectangle on a page, in its pixels. */
        PageFrame: {
            /**
             * Format: int32
             * @description Height in pixels.
             */
            height: number;
            /**
             * Format: int32
             * @description Left edge, in pixels from the left edge of the page.
             */
            left: number;
            /**
             * Format: int32
             * @description Upper edge, in pixels from the upper edge of the page.
             */
            top: number;
            /**
             * Format: int32
             * @description Width in pixels.
             */
            width: number;
        };
        /** @description Where a picture was cut out. */
        PanelOf: {
            /**
             * Format: int32
             * @description Its place in the reading order, from 1.
             */
            number: number;
            /** @description The page. */
            page_id: components["schemas"]["ItemId"];
        };
        /** @description Hyperparameters that replace the preset's; every field may be left out. */
        ParameterOverrides: {
            /**
             * Format: double
             * @description Adds this share of a picture's own average (of its latents) to its noise offset.
             */
            adaptive_noise_scale?: number | null;
            /**
             * Format: double
             * @description Alpha: the LoRA's output is scaled by alpha / rank. Equal to rank means a scale of 1.
             */
            alpha?: number | null;
            /**
             * Format: int64
             * @description Pictures in one forward pass.
             */
            batch_size?: number | null;
            /**
             * Format: double
             * @description How long the optimizer remembers earlier gradients: closer to 1 is longer.
             */
            beta1?: number | null;
            /**
             * Format: double
             * @description How long the optimizer remembers how large the gradients were: closer to 1 is longer.
             */
            beta2?: number | null;
            /** @description Factors of the learning rate of single blocks: `IN04=0.5`. 0 leaves a block out. */
            block_learning_rates?: string[] | null;
            /** @description Ranks of single blocks: `OUT00=64`. 0 leaves a block out. */
            block_ranks?: string[] | null;
            /** @description Trains a picture that is smaller than the training size at its own size, rounded down to the step, instead of enlarging it. */
            bucket_no_upscale?: boolean | null;
            /**
             * Format: int64
             * @description Pictures are sorted into buckets by their shape. The sides of a bucket are multiples of this.
             */
            bucket_step?: number | null;
            /**
             * Format: double
             * @description Share of the training pictures shown with an empty caption.
             */
            caption_dropout?: number | null;
            /**
             * Format: int64
             * @description Every so many epochs, all pictures are shown with an empty caption. 0 is off.
             */
            caption_dropout_every_n_epochs?: number | null;
            /** @description Written in front of every caption. */
            caption_prefix?: string | null;
            /** @description Written behind every caption. */
            caption_suffix?: string | null;
            /**
             * Format: int64
             * @description Epochs between two checkpoints. 0 counts in steps.
             */
            checkpoint_every_n_epochs?: number | null;
            /**
             * Format: int64
             * @description Steps between two checkpoints. 0 stores only the last.
             */
            checkpoint_every_n_steps?: number | null;
            /** @description Changes the colors of a third of the views a little: the hue by up to 16 degrees, or gamma by up to 5 %. */
            color_jitter?: boolean | null;
            /**
             * Format: double
             * @description Alpha of the convolutions: their output is scaled by this / conv_rank.
             */
            conv_alpha?: number | null;
            /**
             * Format: int64
             * @description Rank of the U-Net's 3×3 convolutions; 0 leaves them alone.
             */
            conv_rank?: number | null;
            /**
             * Format: double
             * @description Up to how much a picture is enlarged before it is cut at a random place.
             */
            crop_zoom?: number | null;
            /** @description Weights the loss by the noise, so that noisy timesteps count as much as others (debiased estimation). */
            debiased?: boolean | null;
            /** @description Keeps the frozen U-Net in eight bits (fp8) from the start. Without it, the kohya engine does so when the memory of the GPU is full. */
            eight_bit_base?: boolean | null;
            /**
             * Format: double
             * @description Saves a running average of the weights instead of those of the last step. Closer to 1 averages over more steps; 0 is off.
             */
            ema_decay?: number | null;
            /**
             * Format: double
             * @description A tiny number that keeps the optimizer from dividing by zero.
             */
            epsilon?: number | null;
            /**
             * Format: int64
             * @description Forward passes that are averaged into one step.
             */
            gradient_accumulation?: number | null;
            /** @description Takes less memory and more time, with the same numbers: values are computed again instead of kept. The native engine switches it on when the memory is too small without; the kohya engine always uses it. */
            gradient_checkpointing?: boolean | null;
            /**
             * Format: double
             * @description For the Huber and smooth L1 losses: errors below this count squared, larger ones only in proportion.
             */
            huber_c?: number | null;
            /**
             * Format: double
             * @description Multiplies `huber_c`, for the constant and the exponential schedule.
             */
            huber_scale?: number | null;
            /**
             * @description How `huber_c` changes with the noise of a step.
             * @enum {string|null}
             */
            huber_schedule?: "constant" | "exponential" | "snr" | null;
            /**
             * Format: double
             * @description Adds this much extra noise to the input that the model is not asked to remove, against memorizing (Ning et al. 2023). 0 is off.
             */
            input_perturbation?: number | null;
            /** @description Uses a random input perturbation at each step, between 0 and its value. */
            input_perturbation_random?: boolean | null;
            /**
             * Format: int64
             * @description Number of tags at the start that stay in place when tags are shuffled or dropped.
             */
            keep_tokens?: number | null;
            /** @description A mark such as `|||` between the tags that stay and the rest, in place of a number of tags. */
            keep_tokens_separator?: string | null;
            /**
             * @description The kind of LoRA.
             * @enum {string|null}
             */
            kind?: "lora" | "dora" | "loha" | "lokr" | "t_lora" | null;
            /**
             * Format: double
             * @description How fast the U-Net learns, at the highest point of the schedule. An optimizer that finds its own rate multiplies it by this.
             */
            learning_rate?: number | null;
            /**
             * Format: int64
             * @description How a LoKr divides each weight: the smaller part of the Kronecker product has at most this many rows. 0 divides it as evenly as possible.
             */
            lokr_factor?: number | null;
            /**
             * Format: double
             * @description How many times faster the second matrix of a LoRA learns than the first (LoRA+, Hayou et al. 2024). 1 trains both alike.
             */
            lora_plus_ratio?: number | null;
            /**
             * @description How the error of a prediction is measured.
             * @enum {string|null}
             */
            loss?: "l2" | "l1" | "huber" | "smooth_l1" | null;
            /**
             * @description How the learning rate moves over the steps.
             * @enum {string|null}
             */
            lr_schedule?: "constant" | "linear" | "cosine" | "cosine_with_restarts" | "polynomial" | "inverse_sqrt" | "rex" | null;
            /** @description Learns only where a picture's mask picture is white; without a mask picture, only where the picture is not transparent. */
            masked_loss?: boolean | null;
            /**
             * Format: int64
             * @description Longest side of a bucket, in pixels. 0 is twice the resolution.
             */
            max_bucket_side?: number | null;
            /**
             * Format: double
             * @description Limits the gradients of a step: longer ones are scaled down to this norm. 0 is off.
             */
            max_gradient_norm?: number | null;
            /**
             * Format: int64
             * @description Timesteps from this one on are not trained. High timesteps are the first steps of drawing, which decide the composition.
             */
            max_timestep?: number | null;
            /**
             * Format: int64
             * @description Tokens of a caption that are read; the rest is cut.
             */
            max_tokens?: number | null;
            /**
             * Format: double
             * @description After each step, the change of a layer is scaled down to this size (norm) if it is larger. 0 is off.
             */
            max_weight_norm?: number | null;
            /**
             * Format: int64
             * @description Shortest side of a bucket, in pixels. 0 is a quarter of the resolution.
             */
            min_bucket_side?: number | null;
            /**
             * Format: double
             * @description The schedule ends at this share of the learning rate instead of zero.
             */
            min_lr_ratio?: number | null;
            /**
             * Format: double
             * @description Limits the loss weight of nearly noise-free timesteps (Hang et al. 2023). 0 switches it off; 5 is usual.
             */
            min_snr_gamma?: number | null;
            /**
             * Format: int64
             * @description The lowest timestep that is trained. Low timesteps are the last steps of drawing, which add fine detail.
             */
            min_timestep?: number | null;
            /**
             * Format: double
             * @description Chance that the LoRA of a layer is ignored, at each step.
             */
            module_dropout?: number | null;
            /**
             * Format: double
             * @description How much of each coarser level of noise is mixed in, as a factor from one level to the next.
             */
            multires_noise_discount?: number | null;
            /**
             * Format: int64
             * @description Levels of coarser noise that are mixed into the noise (multi-resolution noise). 0 mixes in none.
             */
            multires_noise_iterations?: number | null;
            /**
             * Format: int64
             * @description How often a cosine with restarts starts.
             */
            n_cycles?: number | null;
            /**
             * Format: int64
             * @description Looks of each picture that are prepared and shown in turns, where random_crop, color_jitter or random_background draw them.
             */
            n_looks?: number | null;
            /**
             * Format: int64
             * @description Regularization pictures that the base model draws of `prior_prompt` before the training, so that other figures stay as they are.
             */
            n_prior_pictures?: number | null;
            /**
             * Format: int64
             * @description Optimizer steps.
             */
            n_steps?: number | null;
            /**
             * Format: int64
             * @description Views: how many pictures the training sees, each picture counted again every time.
             */
            n_views?: number | null;
            /**
             * Format: int64
             * @description Steps over which the learning rate rises from zero. Must be less than the number of steps.
             */
            n_warmup_steps?: number | null;
            /**
             * Format: double
             * @description Chance that a value inside the LoRA is ignored, at each step.
             */
            network_dropout?: number | null;
            /**
             * Format: double
             * @description Noise offset: lets the model learn pictures that are darker or brighter than average. 0 is off.
             */
            noise_offset?: number | null;
            /** @description Uses a random noise offset for each picture, between 0 and `noise_offset`. */
            noise_offset_random?: boolean | null;
            /**
             * @description The optimizer.
             * @enum {string|null}
             */
            optimizer?: "adamw" | "adamw_8bit" | "adafactor" | "lion" | "prodigy" | "prodigy_schedule_free" | "d_adaptation" | "adamw_schedule_free" | "came" | null;
            /** @description Settings that only this optimizer has, each as `name=value`: `d_coef=2` for Prodigy. */
            optimizer_arguments?: string[] | null;
            /**
             * Format: double
             * @description Keeps pictures without the trigger word as the base model draws them: how much a change there counts. 0 is off; otherwise a step takes about twice as long.
             */
            output_preservation?: number | null;
            /**
             * Format: double
             * @description The power of a polynomial schedule.
             */
            polynomial_power?: number | null;
            /**
             * Format: double
             * @description How much a regularization picture counts beside the others.
             */
            prior_loss_weight?: number | null;
            /** @description What the regularization pictures show: the kind of figure, without the trigger word. */
            prior_prompt?: string | null;
            /** @description Lays pictures with a transparent background on random colors instead of white. */
            random_background?: boolean | null;
            /** @description Cuts a picture at a random place instead of around its center. */
            random_crop?: boolean | null;
            /** @description Mirrors each picture, with its mask, half of the time. */
            random_flip?: boolean | null;
            /**
             * Format: int64
             * @description Rank of the LoRA matrices: how much it can learn, and how large the file gets.
             */
            rank?: number | null;
            /**
             * Format: double
             * @description Chance that a rank of the LoRA is ignored, for each picture at each step.
             */
            rank_dropout?: number | null;
            /**
             * @description How pictures are scaled to their buckets.
             * @enum {string|null}
             */
            resize_interpolation?: "auto" | "lanczos" | "bicubic" | "bilinear" | "area" | "nearest" | null;
            /**
             * Format: int64
             * @description Training size: pictures keep their shape, with about as many pixels as a square with this side.
             */
            resolution?: number | null;
            /** @description Also renders the sample pictures before the first step, which shows the base model alone. */
            sample_at_start?: boolean | null;
            /**
             * Format: int64
             * @description Epochs between two rows of sample pictures. 0 counts in steps.
             */
            sample_every_n_epochs?: number | null;
            /**
             * Format: int64
             * @description Steps between two rows of sample pictures. 0 renders none.
             */
            sample_every_n_steps?: number | null;
            /** @description Weights the loss of a base that predicts v as if it predicted noise. */
            scale_v_loss?: boolean | null;
            /** @description What stands between tags that are shuffled and dropped together; afterwards it is read as a comma. */
            secondary_separator?: string | null;
            /**
             * Format: int64
             * @description Seed of everything random in the training.
             */
            seed?: number | null;
            /** @description Puts the tags of a caption into another order each time. */
            shuffle_tags?: boolean | null;
            /**
             * Format: int64
             * @description The rank that a T-LoRA has left at the noisiest timestep.
             */
            t_lora_min_rank?: number | null;
            /**
             * Format: double
             * @description How fast the rank of a T-LoRA falls towards noise: the power of the share of timesteps that are left.
             */
            t_lora_power?: number | null;
            /**
             * Format: double
             * @description Chance that a tag is left out, each time a caption is read.
             */
            tag_dropout?: number | null;
            /** @description What stands between tags. */
            tag_separator?: string | null;
            /**
             * Format: double
             * @description Learning rate of the first text encoder (CLIP-L). 0 freezes it.
             */
            text_encoder_1_learning_rate?: number | null;
            /**
             * Format: double
             * @description Learning rate of the second text encoder (OpenCLIP bigG). 0 freezes it.
             */
            text_encoder_2_learning_rate?: number | null;
            /**
             * Format: double
             * @description Middle of the logit-normal distribution of timesteps: above 0 favors noisy ones, below 0 those of fine detail.
             */
            timestep_bias?: number | null;
            /**
             * @description Which timesteps are trained more often than others.
             * @enum {string|null}
             */
            timestep_distribution?: "uniform" | "logit_normal" | "mode" | "cosine_map" | null;
            /**
             * Format: double
             * @description Width of the logit-normal distribution of timesteps (smaller stays closer to its middle), or the scale of `mode`.
             */
            timestep_scale?: number | null;
            /**
             * Format: double
             * @description Moves all timesteps toward noise by this factor, as larger pictures need it. 1 changes nothing.
             */
            timestep_shift?: number | null;
            /**
             * Format: int64
             * @description Number of tags that are read at the start of the training, when `token_warmup_steps` is set.
             */
            token_warmup_min?: number | null;
            /**
             * Format: int64
             * @description Steps until all tags of a caption are read. 0 reads all from the start.
             */
            token_warmup_steps?: number | null;
            /** @description The only blocks of the U-Net that are trained, by name: `IN04`, `MID`, `OUT00`, or as diffusers has them, `up_blocks.0.attentions.0`. `b_lora_content` and `b_lora_style` stand for the blocks of B-LoRA. None trains all. */
            trained_blocks?: string[] | null;
            /**
             * Format: double
             * @description How much the masked parts of a picture still count: 0 not at all, 1 as much as the rest.
             */
            unmasked_weight?: number | null;
            /**
             * Format: double
             * @description Adds this much of a loss as if the base predicted v, for a base that predicts noise. 0 adds nothing.
             */
            v_like_loss?: number | null;
            /**
             * Format: int64
             * @description Epochs between two measurements of the validation loss. 0 counts in steps.
             */
            validate_every_n_epochs?: number | null;
            /**
             * Format: int64
             * @description Steps between two measurements of the validation loss, on the pictures that are held out. 0 measures it with every checkpoint.
             */
            validate_every_n_steps?: number | null;
            /**
             * Format: double
             * @description How strongly each step pulls the weights back toward zero.
             */
            weight_decay?: number | null;
            /** @description Reads `(word:1.3)` in a caption as emphasis. */
            weighted_captions?: boolean | null;
            /** @description Reads `{a|b}` in a caption as one of the two, and one line of several, drawn each time. */
            wildcards?: boolean | null;
        };
        /** @description Hyperparameters, complete. */
        Parameters: {
            /**
             * Format: double
             * @description Adds this share of a picture's own average (of its latents) to its noise offset.
             * @default 0
             */
            adaptive_noise_scale: number;
            /**
             * Format: double
             * @description Alpha: the LoRA's output is scaled by alpha / rank. Equal to rank means a scale of 1.
             * @default 16
             */
            alpha: number;
            /**
             * Format: int32
             * @description Pictures in one forward pass.
             * @default 1
             */
            batch_size: number;
            /**
             * Format: double
             * @description How long the optimizer remembers earlier gradients: closer to 1 is longer.
             * @default 0.9
             */
            beta1: number;
            /**
             * Format: double
             * @description How long the optimizer remembers how large the gradients were: closer to 1 is longer.
             * @default 0.999
             */
            beta2: number;
            /**
             * @description Factors of the learning rate of single blocks: `IN04=0.5`. 0 leaves a block out.
             * @default []
             */
            block_learning_rates: string[];
            /**
             * @description Ranks of single blocks: `OUT00=64`. 0 leaves a block out.
             * @default []
             */
            block_ranks: string[];
            /**
             * @description Trains a picture that is smaller than the training size at its own size, rounded down to the step, instead of enlarging it.
             * @default false
             */
            bucket_no_upscale: boolean;
            /**
             * Format: int32
             * @description Pictures are sorted into buckets by their shape. The sides of a bucket are multiples of this.
             * @default 64
             */
            bucket_step: number;
            /**
             * Format: double
             * @description Share of the training pictures shown with an empty caption.
             * @default 0
             */
            caption_dropout: number;
            /**
             * Format: int32
             * @description Every so many epochs, all pictures are shown with an empty caption. 0 is off.
             * @default 0
             */
            caption_dropout_every_n_epochs: number;
            /**
             * @description Written in front of every caption.
             * @default
             */
            caption_prefix: string;
            /**
             * @description Written behind every caption.
             * @default
             */
            caption_suffix: string;
            /**
             * Format: int32
             * @description Epochs between two checkpoints. 0 counts in steps.
             * @default 0
             */
            checkpoint_every_n_epochs: number;
            /**
             * Format: int32
             * @description Steps between two checkpoints. 0 stores only the last.
             * @default 200
             */
            checkpoint_every_n_steps: number;
            /**
             * @description Changes the colors of a third of the views a little: the hue by up to 16 degrees, or gamma by up to 5 %.
             * @default false
             */
            color_jitter: boolean;
            /**
             * Format: double
             * @description Alpha of the convolutions: their output is scaled by this / conv_rank.
             * @default 1
             */
            conv_alpha: number;
            /**
             * Format: int32
             * @description Rank of the U-Net's 3×3 convolutions; 0 leaves them alone.
             * @default 0
             */
            conv_rank: number;
            /**
             * Format: double
             * @description Up to how much a picture is enlarged before it is cut at a random place.
             * @default 1
             */
            crop_zoom: number;
            /**
             * @description Weights the loss by the noise, so that noisy timesteps count as much as others (debiased estimation).
             * @default false
             */
            debiased: boolean;
            /**
             * @description Keeps the frozen U-Net in eight bits (fp8) from the start. Without it, the kohya engine does so when the memory of the GPU is full.
             * @default false
             */
            eight_bit_base: boolean;
            /**
             * Format: double
             * @description Saves a running average of the weights instead of those of the last step. Closer to 1 averages over more steps; 0 is off.
             * @default 0
             */
            ema_decay: number;
            /**
             * Format: double
             * @description A tiny number that keeps the optimizer from dividing by zero.
             * @default 1e-8
             */
            epsilon: number;
            /**
             * Format: int32
             * @description Forward passes that are averaged into one step.
             * @default 1
             */
            gradient_accumulation: number;
            /**
             * @description Takes less memory and more time, with the same numbers: values are computed again instead of kept. The native engine switches it on when the memory is too small without; the kohya engine always uses it.
             * @default false
             */
            gradient_checkpointing: boolean;
            /**
             * Format: double
             * @description For the Huber and smooth L1 losses: errors below this count squared, larger ones only in proportion.
             * @default 0.1
             */
            huber_c: number;
            /**
             * Format: double
             * @description Multiplies `huber_c`, for the constant and the exponential schedule.
             * @default 1
             */
            huber_scale: number;
            /**
             * @description How `huber_c` changes with the noise of a step.
             * @default snr
             * @enum {string}
             */
            huber_schedule: "constant" | "exponential" | "snr";
            /**
             * Format: double
             * @description Adds this much extra noise to the input that the model is not asked to remove, against memorizing (Ning et al. 2023). 0 is off.
             * @default 0
             */
            input_perturbation: number;
            /**
             * @description Uses a random input perturbation at each step, between 0 and its value.
             * @default false
             */
            input_perturbation_random: boolean;
            /**
             * Format: int32
             * @description Number of tags at the start that stay in place when tags are shuffled or dropped.
             * @default 0
             */
            keep_tokens: number;
            /**
             * @description A mark such as `|||` between the tags that stay and the rest, in place of a number of tags.
             * @default
             */
            keep_tokens_separator: string;
            /**
             * @description The kind of LoRA.
             * @default lora
             * @enum {string}
             */
            kind: "lora" | "dora" | "loha" | "lokr" | "t_lora";
            /**
             * Format: double
             * @description How fast the U-Net learns, at the highest point of the schedule. An optimizer that finds its own rate multiplies it by this.
             * @default 0.0001
             */
            learning_rate: number;
            /**
             * Format: int32
             * @description How a LoKr divides each weight: the smaller part of the Kronecker product has at most this many rows. 0 divides it as evenly as possible.
             * @default 8
             */
            lokr_factor: number;
            /**
             * Format: double
             * @description How many times faster the second matrix of a LoRA learns than the first (LoRA+, Hayou et al. 2024). 1 trains both alike.
             * @default 1
             */
            lora_plus_ratio: number;
            /**
             * @description How the error of a prediction is measured.
             * @default l2
             * @enum {string}
             */
            loss: "l2" | "l1" | "huber" | "smooth_l1";
            /**
             * @description How the learning rate moves over the steps.
             * @default cosine
             * @enum {string}
             */
            lr_schedule: "constant" | "linear" | "cosine" | "cosine_with_restarts" | "polynomial" | "inverse_sqrt" | "rex";
            /**
             * @description Learns only where a picture's mask picture is white; without a mask picture, only where the picture is not transparent.
             * @default false
             */
            masked_loss: boolean;
            /**
             * Format: int32
             * @description Longest side of a bucket, in pixels. 0 is twice the resolution.
             * @default 0
             */
            max_bucket_side: number;
            /**
             * Format: double
             * @description Limits the gradients of a step: longer ones are scaled down to this norm. 0 is off.
             * @default 1
             */
            max_gradient_norm: number;
            /**
             * Format: int32
             * @description Timesteps from this one on are not trained. High timesteps are the first steps of drawing, which decide the composition.
             * @default 1000
             */
            max_timestep: number;
            /**
             * Format: int32
             * @description Tokens of a caption that are read; the rest is cut.
             * @default 75
             */
            max_tokens: number;
            /**
             * Format: double
             * @description After each step, the change of a layer is scaled down to this size (norm) if it is larger. 0 is off.
             * @default 0
             */
            max_weight_norm: number;
            /**
             * Format: int32
             * @description Shortest side of a bucket, in pixels. 0 is a quarter of the resolution.
             * @default 0
             */
            min_bucket_side: number;
            /**
             * Format: double
             * @description The schedule ends at this share of the learning rate instead of zero.
             * @default 0
             */
            min_lr_ratio: number;
            /**
             * Format: double
             * @description Limits the loss weight of nearly noise-free timesteps (Hang et al. 2023). 0 switches it off; 5 is usual.
             * @default 5
             */
            min_snr_gamma: number;
            /**
             * Format: int32
             * @description The lowest timestep that is trained. Low timesteps are the last steps of drawing, which add fine detail.
             * @default 0
             */
            min_timestep: number;
            /**
             * Format: double
             * @description Chance that the LoRA of a layer is ignored, at each step.
             * @default 0
             */
            module_dropout: number;
            /**
             * Format: double
             * @description How much of each coarser level of noise is mixed in, as a factor from one level to the next.
             * @default 0.3
             */
            multires_noise_discount: number;
            /**
             * Format: int32
             * @description Levels of coarser noise that are mixed into the noise (multi-resolution noise). 0 mixes in none.
             * @default 0
             */
            multires_noise_iterations: number;
            /**
             * Format: int32
             * @description How often a cosine with restarts starts.
             * @default 1
             */
            n_cycles: number;
            /**
             * Format: int32
             * @description Looks of each picture that are prepared and shown in turns, where random_crop, color_jitter or random_background draw them.
             * @default 8
             */
            n_looks: number;
            /**
             * Format: int32
             * @description Regularization pictures that the base model draws of `prior_prompt` before the training, so that other figures stay as they are.
             * @default 0
             */
            n_prior_pictures: number;
            /**
             * Format: int32
             * @description Optimizer steps.
             * @default 1600
             */
            n_steps: number;
            /**
             * Format: int32
             * @description Views: how many pictures the training sees, each picture counted again every time.
             * @default 0
             */
            n_views: number;
            /**
             * Format: int32
             * @description Steps over which the learning rate rises from zero. Must be less than the number of steps.
             * @default 0
             */
            n_warmup_steps: number;
            /**
             * Format: double
             * @description Chance that a value inside the LoRA is ignored, at each step.
             * @default 0
             */
            network_dropout: number;
            /**
             * Format: double
             * @description Noise offset: lets the model learn pictures that are darker or brighter than average. 0 is off.
             * @default 0
             */
            noise_offset: number;
            /**
             * @description Uses a random noise offset for each picture, between 0 and `noise_offset`.
             * @default false
             */
            noise_offset_random: boolean;
            /**
             * @description The optimizer.
             * @default adamw
             * @enum {string}
             */
            optimizer: "adamw" | "adamw_8bit" | "adafactor" | "lion" | "prodigy" | "prodigy_schedule_free" | "d_adaptation" | "adamw_schedule_free" | "came";
            /**
             * @description Settings that only this optimizer has, each as `name=value`: `d_coef=2` for Prodigy.
             * @default []
             */
            optimizer_arguments: string[];
            /**
             * Format: double
             * @description Keeps pictures without the trigger word as the base model draws them: how much a change there counts. 0 is off; otherwise a step takes about twice as long.
             * @default 0
             */
            output_preservation: number;
            /**
             * Format: double
             * @description The power of a polynomial schedule.
             * @default 1
             */
            polynomial_power: number;
            /**
             * Format: double
             * @description How much a regularization picture counts beside the others.
             * @default 1
             */
            prior_loss_weight: number;
            /**
             * @description What the regularization pictures show: the kind of figure, without the trigger word.
             * @default
             */
            prior_prompt: string;
            /**
             * @description Lays pictures with a transparent background on random colors instead of white.
             * @default false
             */
            random_background: boolean;
            /**
             * @description Cuts a picture at a random place instead of around its center.
             * @default false
             */
            random_crop: boolean;
            /**
             * @description Mirrors each picture, with its mask, half of the time.
             * @default false
             */
            random_flip: boolean;
            /**
             * Format: int32
             * @description Rank of the LoRA matrices: how much it can learn, and how large the file gets.
             * @default 16
             */
            rank: number;
            /**
             * Format: double
             * @description Chance that a rank of the LoRA is ignored, for each picture at each step.
             * @default 0
             */
            rank_dropout: number;
            /**
             * @description How pictures are scaled to their buckets.
             * @default auto
             * @enum {string}
             */
            resize_interpolation: "auto" | "lanczos" | "bicubic" | "bilinear" | "area" | "nearest";
            /**
             * Format: int32
             * @description Training size: pictures keep their shape, with about as many pixels as a square with this side.
             * @default 1024
             */
            resolution: number;
            /**
             * @description Also renders the sample pictures before the first step, which shows the base model alone.
             * @default false
             */
            sample_at_start: boolean;
            /**
             * Format: int32
             * @description Epochs between two rows of sample pictures. 0 counts in steps.
             * @default 0
             */
            sample_every_n_epochs: number;
            /**
             * Format: int32
             * @description Steps between two rows of sample pictures. 0 renders none.
             * @default 200
             */
            sample_every_n_steps: number;
            /**
             * @description Weights the loss of a base that predicts v as if it predicted noise.
             * @default false
             */
            scale_v_loss: boolean;
            /**
             * @description What stands between tags that are shuffled and dropped together; afterwards it is read as a comma.
             * @default
             */
            secondary_separator: string;
            /**
             * Format: int32
             * @description Seed of everything random in the training.
             * @default 42
             */
            seed: number;
            /**
             * @description Puts the tags of a caption into another order each time.
             * @default false
             */
            shuffle_tags: boolean;
            /**
             * Format: int32
             * @description The rank that a T-LoRA has left at the noisiest timestep.
             * @default 8
             */
            t_lora_min_rank: number;
            /**
             * Format: double
             * @description How fast the rank of a T-LoRA falls towards noise: the power of the share of timesteps that are left.
             * @default 1
             */
            t_lora_power: number;
            /**
             * Format: double
             * @description Chance that a tag is left out, each time a caption is read.
             * @default 0
             */
            tag_dropout: number;
            /**
             * @description What stands between tags.
             * @default ,
             */
            tag_separator: string;
            /**
             * Format: double
             * @description Learning rate of the first text encoder (CLIP-L). 0 freezes it.
             * @default 0
             */
            text_encoder_1_learning_rate: number;
            /**
             * Format: double
             * @description Learning rate of the second text encoder (OpenCLIP bigG). 0 freezes it.
             * @default 0
             */
            text_encoder_2_learning_rate: number;
            /**
             * Format: double
             * @description Middle of the logit-normal distribution of timesteps: above 0 favors noisy ones, below 0 those of fine detail.
             * @default 0
             */
            timestep_bias: number;
            /**
             * @description Which timesteps are trained more often than others.
             * @default uniform
             * @enum {string}
             */
            timestep_distribution: "uniform" | "logit_normal" | "mode" | "cosine_map";
            /**
             * Format: double
             * @description Width of the logit-normal distribution of timesteps (smaller stays closer to its middle), or the scale of `mode`.
             * @default 1
             */
            timestep_scale: number;
            /**
             * Format: double
             * @description Moves all timesteps toward noise by this factor, as larger pictures need it. 1 changes nothing.
             * @default 1
             */
            timestep_shift: number;
            /**
             * Format: int32
             * @description Number of tags that are read at the start of the training, when `token_warmup_steps` is set.
             * @default 1
             */
            token_warmup_min: number;
            /**
             * Format: int32
             * @description Steps until all tags of a caption are read. 0 reads all from the start.
             * @default 0
             */
            token_warmup_steps: number;
            /**
             * @description The only blocks of the U-Net that are trained, by name: `IN04`, `MID`, `OUT00`, or as diffusers has them, `up_blocks.0.attentions.0`. `b_lora_content` and `b_lora_style` stand for the blocks of B-LoRA. None trains all.
             * @default []
             */
            trained_blocks: string[];
            /**
             * Format: double
             * @description How much the masked parts of a picture still count: 0 not at all, 1 as much as the rest.
             * @default 0
             */
            unmasked_weight: number;
            /**
             * Format: double
             * @description Adds this much of a loss as if the base predicted v, for a base that predicts noise. 0 adds nothing.
             * @default 0
             */
            v_like_loss: number;
            /**
             * Format: int32
             * @description Epochs between two measurements of the validation loss. 0 counts in steps.
             * @default 0
             */
            validate_every_n_epochs: number;
            /**
             * Format: int32
             * @description Steps between two measurements of the validation loss, on the pictures that are held out. 0 measures it with every checkpoint.
             * @default 0
             */
            validate_every_n_steps: number;
            /**
             * Format: double
             * @description How strongly each step pulls the weights back toward zero.
             * @default 0.01
             */
            weight_decay: number;
            /**
             * @description Reads `(word:1.3)` in a caption as emphasis.
             * @default false
             */
            weighted_captions: boolean;
            /**
             * @description Reads `{a|b}` in a caption as one of the two, and one line of several, drawn each time.
             * @default false
             */
            wildcards: boolean;
        };
        /**
         * @description Phase of a job.
         * @enum {string}
         */
        Phase: "queued" | "launching" | "running" | "finalizing" | "stopping" | "stopped" | "cancelling" | "cancelled" | "failed" | "succeeded";
        /** @description A picture as a job trains on it. */
        PictureOfJob: {
            /** @description Its caption when the job was created. What a step saw of it can be shuffled or shortened, if the job does so. */
            caption: string;
            /** @description File name at upload; absent if the picture was removed from the dataset. */
            file_name?: string | null;
            /** @description The picture. */
            item_id: components["schemas"]["ItemId"];
            /** @description Where it can be seen: its thumbnail, or a signed URL of the picture if it was removed from the dataset. */
            url: string;
        };
        /** @description A machine of the pool. */
        PoolMember: components["schemas"]["Machine"] & {
            /** @description Whether it has connected recently. */
            is_online: boolean;
            job_id?: components["schemas"]["JobId"] | null;
            /** @description Why it is given no work at all, until somebody does something about it. */
            problem?: string | null;
            /**
             * Format: date-time
             * @description When it last connected.
             */
            seen_at: string;
        };
        /**
         * @description What the U-Net of a base model predicts.
         * @enum {string}
         */
        Prediction: "epsilon" | "v" | "v-zero-snr" | "flow";
        /**
         * @description What the LoRA is for; chooses the defaults.
         * @enum {string}
         */
        Preset: "character" | "style" | "concept";
        /**
         * Format: uuid
         * @description A preset of a user's own.
         */
        PresetId: string;
        /** @description A preset with its hyperparameters for one family of base models. */
        PresetInfo: {
            /** @description What it is for, in a sentence. */
            description: string;
            /** @description The family of base models. */
            family: components["schemas"]["Family"];
            /** @description The family's name for people. */
            family_title: string;
            /** @description The complete parameters. */
            parameters: components["schemas"]["Parameters"];
            /** @description Its name. */
            preset: components["schemas"]["Preset"];
            /** @description What it leaves open. */
            questions?: components["schemas"]["Question"][];
            /** @description Where the numbers come from. */
            source: string;
        };
        /** @description A picture that comes into being: small, and its colors are nearly right. Nobody keeps it. */
        Preview: {
            /**
             * Format: int32
             * @description All denoising steps.
             */
            n_steps: number;
            /** @description A PNG file in base64. */
            png: string;
            /**
             * Format: int32
             * @description Denoising steps done.
             */
            step: number;
        };
        /** @description Asks what a machine for pictures would cost. */
        PriceDrawingSession: {
            /** @description Who would rent the machine out. */
            provider: string;
            /** @description Requirements for the machine. */
            rental?: components["schemas"]["RentalWish"];
        };
        /** @description The body of every error response. */
        Problem: {
            /** @description The current text, if the request expected a different one. */
            current?: string | null;
            /** @description Details of this occurrence. */
            detail?: string | null;
            /** @description The invalid fields, if the request was invalid. */
            errors?: components["schemas"]["FieldError"][];
            /**
             * Format: int32
             * @description HTTP status code.
             */
            status: number;
            /** @description One sentence for a person. */
            title: string;
            /** @description Stable, machine-readable kind: `invalid_request`, `not_found`, `conflict`, `unauthorized`, … */
            type: string;
        };
        /** @description Approves a model version. */
        Promote: {
            /**
             * @description Approve an imported version although nothing has judged it. A version that was trained needs a passed verdict.
             * @default false
             */
            without_verdict: boolean;
        };
        /** @description How one prompt is read. */
        PromptCount: {
            /** @description Where each chunk but the last ends, in characters (Unicode code points) from the beginning. */
            borders: number[];
            /** @description Tokens of each chunk, at most 75; at least one chunk. */
            chunks: number[];
            /** @description The LoRAs that its tags name. */
            loras: components["schemas"]["PromptLora"][];
            /**
             * Format: int32
             * @description Tokens of text, without begin, end and padding.
             */
            n_tokens: number;
            /** @description What may not be as it was meant, in words. */
            warnings: string[];
        };
        /** @description How prompts are read, in their order. */
        PromptCounts: {
            /** @description One for each prompt. */
            prompts: components["schemas"]["PromptCount"][];
        };
        /** @description A LoRA that a prompt names. */
        PromptLora: {
            model_version_id?: components["schemas"]["ModelVersionId"] | null;
            /** @description Name of the model. */
            name: string;
            /** @description The tag as it was written. */
            tag: string;
            /**
             * Format: int32
             * @description Its number within the model.
             */
            version?: number | null;
            /**
             * Format: double
             * @description Weight: 0 leaves the base unchanged, 1 applies the LoRA as trained.
             */
            weight: number;
        };
        /**
         * @description The versions of the messages between agents and servers that a program understands.
         *
         *     A field that the reader does not know is ignored, so a new one that may be ignored needs no new version. Whatever
         *     an older program would get wrong raises `version`; what a newer one cannot read any more raises `oldest`. A
         *     hyperparameter states the version that it came with, so that older agents get no job that uses it.
         *
         *     | version | |
         *     |---|---|
         *     | 1 | said by nobody: agents of this version do not tell it. They refuse a recipe with a field that is new to them |
         *     | 2 | claims carry the version and what the machine can do; unknown fields are ignored |
         *     | 3 | prompts of pictures are chunks of 75 tokens with emphasis; before, the rest was cut and brackets were letters |
         *     | 4 | hyperparameters for all that sd-scripts can do: targets, kinds, optimizers, schedules, losses, noise, captions. Previews may have settings of their own, and pictures repeats. A VAE in place of a base model's own, and what its U-Net predicts, whatever its files say |
         *     | 5 | hyperparameters for the sides of buckets and how pictures are scaled to them, and for intervals in epochs |
         *     | 6 | a training ends with a result before its last step: `finish` in the work, and as an order |
         *     | 7 | hyperparameters for random crops, colors and backgrounds |
         */
        Protocol: {
            /**
             * Format: int32
             * @description The oldest version that it understands.
             */
            oldest: number;
            /**
             * Format: int32
             * @description The newest version that it understands, which it speaks.
             */
            version: number;
        };
        /** @description A provider of machines and its state. */
        ProviderInfo: {
            /** @description Cost per hour of those machines, in micro-dollars. */
            foreign_rate_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Why renting is paused there until somebody resumes it: an empty account, a wrong key. */
            halted?: string | null;
            /** @description Whether its machines cost money. */
            is_rented: boolean;
            /** @description Machines of the pool that have connected, the most recent first; empty for other providers. */
            machines?: components["schemas"]["PoolMember"][];
            /**
             * Format: int32
             * @description Maximum number of jobs that run at the same time.
             */
            max_running: number;
            /**
             * Format: int32
             * @description Machines in the account that Morpheus did not create; they are never touched.
             */
            n_foreign: number;
            /** @description The name to use in jobs. */
            name: string;
            /**
             * Format: date-time
             * @description When it last responded; absent if it never did or is never contacted.
             */
            seen_at?: string | null;
            /** @description What people call it, when it rents machines out. */
            title?: string | null;
        };
        /** @description A question, and what follows from each answer. */
        Question: {
            /** @description The answers; the first is what the preset takes for granted. */
            answers: components["schemas"]["Answer"][];
            /** @description The question, for a person. */
            text: string;
            /** @description Why it matters, and what practice says. */
            why: string;
        };
        /** @description The loss of the same picture and noise, had the U-Net been trained to predict this. */
        ReadingLoss: {
            /**
             * Format: double
             * @description Mean squared error over the mean square of what it should answer: 0 is perfect, 1 is as good as answering nothing.
             */
            loss: number;
            /** @description What it would predict. */
            prediction: components["schemas"]["Prediction"];
        };
        /**
         * @description Fully resolved and valid configuration of one training.
         *
         *     Made by [`Recipe::resolve`] and by reading, which goes through the same checks. Nothing changes one: whoever holds a
         *     recipe need not check it again.
         */
        Recipe: {
            /** @description Name of the base model. */
            base_model: string;
            /** @description What computes it. */
            engine: components["schemas"]["Engine"];
            /** @description Name of the result; the file is called so. */
            name: string;
            /** @description Every hyperparameter. They are many: boxed, a recipe is cheap to move. */
            parameters: components["schemas"]["Parameters"];
            /** @description The preset that gave the defaults. */
            preset: components["schemas"]["Preset"];
            /** @description The preview pictures, at most 16: each a prompt, or an object with a prompt and what else is chosen. If omitted, captions of the dataset are used. */
            sample_prompts: (string | components["schemas"]["SamplePrompt"])[];
            start_from?: components["schemas"]["ModelVersionId"] | null;
            /** @description The word that calls the LoRA up in a prompt. */
            trigger_word?: string | null;
        };
        /**
         * @description A way in which other trainers write their settings.
         * @enum {string}
         */
        RecipeFormat: "sd-scripts" | "sd-scripts-arguments" | "kohya-ss" | "onetrainer" | "ai-toolkit";
        /** @description Which checkpoint of a job to use. */
        Recommendation: {
            /**
             * Format: double
             * @description Its score, from 0 to 1.
             */
            score: number;
            /**
             * Format: double
             * @description Upper end of it.
             */
            score_high: number;
            /**
             * Format: double
             * @description Lower end of the score's 95 % bootstrap interval.
             */
            score_low: number;
            /** @description Why this one, in one sentence. */
            sentence: string;
            /**
             * Format: int32
             * @description Optimizer steps of the checkpoint.
             */
            step: number;
        };
        /** @description A rejected file. */
        RefusedFile: {
            /** @description Its name as uploaded; within an archive `archive.zip/name.png`. */
            file_name: string;
            /** @description What is wrong and how to fix it. */
            reason: string;
        };
        /** @description Registers a base model. */
        RegisterBase: {
            /** @description The name to use in jobs and generations: 1 to 80 letters, digits, dots, dashes and underscores. */
            name: string;
            prediction?: components["schemas"]["Prediction"] | null;
            /**
             * @description An absolute path on the server's machine, in a folder that its settings allow (`--base-folder`), an `https://`
             *     address (with `#sha256=HEX` after it if the hash is known), `hf:OWNER/REPOSITORY[@REVISION][:FILE]`, or `edit:ID` for
             *     what an edit has merged LoRAs into, which is then kept for as long as the base model.
             */
            source: string;
            /** @description A VAE in place of its own: a safetensors file, named as `source` is. */
            vae?: string | null;
        };
        /** @description A registered base model. */
        RegisteredBase: {
            class?: components["schemas"]["BaseClass"] | null;
            /** @description State of the copy in the object store. */
            copy: components["schemas"]["BaseCopy"];
            /**
             * Format: date-time
             * @description When it was registered.
             */
            created_at: string;
            /**
             * Format: int64
             * @description Bytes hashed or copied so far by the current operation.
             */
            done_bytes: number;
            /** @description It is defined in the server's settings and can only be removed there. */
            from_settings: boolean;
            /** @description Whether other machines can download it, from its source or from the object store. */
            is_fetchable: boolean;
            measured?: components["schemas"]["Measured"] | null;
            /**
             * Format: int32
             * @description Number of its files: 1, or those of a diffusers folder.
             */
            n_files: number;
            /** @description The name to use in jobs and generations. */
            name: string;
            /**
             * Format: int32
             * @description Side of the square pictures it was trained on, in pixels.
             */
            native_resolution?: number | null;
            /** @description What is unusual about it: tensors that are not used, statements that contradict each other or what was measured. */
            notes?: string[];
            prediction?: components["schemas"]["Prediction"] | null;
            /** @description What is wrong and how to fix it. */
            problem?: string | null;
            /** @description What says so: a file, a key of a header, or the setting; absent if nothing does and epsilon is assumed. */
            said_by?: string | null;
            /** @description What its owner says about it, whatever its files say. */
            settings: components["schemas"]["BaseSettings"];
            /** @description SHA-256 of its file; absent for folders and until it is known. */
            sha256?: string | null;
            /**
             * Format: int64
             * @description Size of all its files.
             */
            size_bytes?: number | null;
            /** @description Its source, without secrets. */
            source: string;
            /** @description State of the registration. */
            state: components["schemas"]["BaseState"];
        };
        /** @description Renames a model. */
        RenameModel: {
            /**
             * @description Its new name, of 1 to 80 characters. Jobs keep the name that they were started with: their results become
             *     versions of the model that has it then.
             */
            name: string;
        };
        /** @description What to render: what somebody asked for, with everything filled in. */
        Rendering: {
            /** @description Name of the base model. */
            base_model: string;
            /**
             * Format: double
             * @description Classifier-free guidance; 1 switches it off.
             */
            guidance: number;
            /**
             * Format: int32
             * @description Height in pixels.
             */
            height: number;
            /** @description Whether brackets in both are letters. LoRA tags were resolved before. */
            literal?: boolean;
            /** @description LoRAs to apply. */
            loras?: components["schemas"]["AppliedLora"][];
            /**
             * Format: int32
             * @description Denoising steps.
             */
            n_steps: number;
            /** @description What it is not to show. */
            negative_prompt?: string;
            /** @description What the picture is to show. */
            prompt: string;
            /** @description How noise is turned into a picture. */
            sampler?: components["schemas"]["Sampler"];
            /**
             * Format: int64
             * @description Seed of the starting noise.
             */
            seed: number;
            /**
             * Format: int32
             * @description Width in pixels.
             */
            width: number;
        };
        /**
         * @description What the agent on a rented machine must keep to. The server renews it with each reply; without a reply the
         *     last terms hold.
         */
        RentalTerms: {
            /** @description Remaining cost limit of the machine, in micro-dollars. */
            budget_left_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Cost per hour of the machine, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: int32
             * @description The machine must be terminated within this many seconds after this reply.
             */
            seconds_to_deadline: number;
            /**
             * Format: int32
             * @description The agent stops this many seconds earlier: it writes and uploads a checkpoint and terminates its machine.
             */
            stop_seconds: number;
        };
        /** @description Requirements for the machine of a job. */
        RentalWish: {
            /**
             * @description Tiers. Empty: all of them.
             * @default []
             */
            clouds: components["schemas"]["CloudTier"][];
            /**
             * @description Ids of data centers. Empty: all of them.
             * @default []
             */
            data_centers: string[];
            /**
             * @description Ids of GPU types, in order of preference. Empty: every type that fits, cheapest first.
             * @default []
             */
            gpus: string[];
            /**
             * @description Labels that a machine of the pool must have (all of them).
             * @default []
             */
            labels: string[];
            /**
             * Format: int64
             * @description Maximum price per hour, in micro-dollars.
             */
            max_rate_micro_usd?: number | null;
            /**
             * Format: int32
             * @description Number of GPUs in the machine.
             * @default 1
             */
            n_gpus: number;
        };
        /** @description A rented machine. */
        RentedInstance: {
            /** @description Cost by our own accounting, an upper bound, in micro-dollars. */
            accrued_micro_usd: components["schemas"]["MicroUsd"];
            /**
             * Format: int32
             * @description Number of the attempt.
             */
            attempt: number;
            billed_micro_usd?: components["schemas"]["MicroUsd"] | null;
            /**
             * Format: date-time
             * @description When it must be terminated.
             */
            deadline_at: string;
            /** @description What its drawing session is called. */
            drawing_session?: string | null;
            drawing_session_id?: components["schemas"]["DrawingSessionId"] | null;
            /**
             * Format: date-time
             * @description When it was confirmed terminated.
             */
            gone_at?: string | null;
            /** @description Id of the GPU type. */
            gpu: string;
            /** @description The provider's id, once it is known. */
            handle?: string | null;
            job_id?: components["schemas"]["JobId"] | null;
            /**
             * Format: int32
             * @description Number of GPUs.
             */
            n_gpus: number;
            /** @description Its name at the provider. */
            name: string;
            /**
             * Format: date-time
             * @description When it was ordered.
             */
            ordered_at: string;
            /** @description Its phase. */
            phase: components["schemas"]["InstancePhase"];
            /** @description The provider. */
            provider: string;
            /** @description Price per hour, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
            /** @description Reserved for its worst case, in micro-dollars. */
            reserved_micro_usd: components["schemas"]["MicroUsd"];
        };
        /** @description What an agent reports while it works. Of a generation, `stage`, `log`, `measured` and `preview` count. */
        Report: {
            /**
             * Format: int32
             * @description Completed units.
             */
            done: number;
            /** @description The current step, for a person. */
            name: string;
            /**
             * Format: int32
             * @description Total units; 0 if unknown.
             */
            total: number;
            /** @enum {string} */
            type: "stage";
        } | (components["schemas"]["StepMetrics"] & {
            /** @enum {string} */
            type: "step";
        }) | {
            /**
             * Format: double
             * @description Mean over the held-out pictures and the fixed timesteps.
             */
            loss: number;
            /**
             * Format: int32
             * @description Optimizer steps done before it was measured.
             */
            step: number;
            /** @enum {string} */
            type: "validation_loss";
        } | {
            /** @description The steps, in their order. */
            steps: components["schemas"]["SeenPictures"][];
            /** @enum {string} */
            type: "pictures_seen";
        } | {
            /** @description Severity. */
            level: components["schemas"]["LogLevel"];
            /** @description The text. */
            message: string;
            /** @enum {string} */
            type: "log";
        } | {
            /** @enum {string} */
            type: "finalizing";
        } | {
            /** @enum {string} */
            type: "validated";
            /** @description The verdict with its numbers. */
            verdict: components["schemas"]["Verdict"];
        } | {
            judgement?: components["schemas"]["Judgement"] | null;
            /**
             * Format: int32
             * @description Optimizer steps done at the checkpoint.
             */
            step: number;
            /** @enum {string} */
            type: "judged";
        } | {
            /** @description The measurement. */
            measured: components["schemas"]["Measured"];
            /** @enum {string} */
            type: "measured";
        } | {
            /** @description The preview. */
            preview: components["schemas"]["Preview"];
            /** @enum {string} */
            type: "preview";
        } | {
            /** @enum {string} */
            type: "unknown";
        };
        /** @description Resumes a job. */
        ResumeJob: {
            /**
             * Format: int64
             * @description New total cost limit in micro-dollars, including what is already spent.
             */
            limit_micro_usd?: number | null;
            /** @description New provider; unchanged if omitted. */
            provider?: string | null;
            rental?: components["schemas"]["RentalWish"] | null;
        };
        /** @description A preview picture of a job. */
        Sample: {
            /** @description The stored picture. */
            artifact_id: components["schemas"]["ArtifactId"];
            /**
             * Format: date-time
             * @description When it was stored.
             */
            created_at: string;
            /** @description The prompt. */
            prompt: string;
            /**
             * Format: int32
             * @description Which of the recipe's sample prompts, from 0.
             */
            prompt_index: number;
            /**
             * Format: int64
             * @description Seed of its starting noise.
             */
            seed: number;
            /**
             * Format: int32
             * @description Optimizer steps done when it was rendered.
             */
            step: number;
            /** @description Signed URL, valid for one hour. */
            url: string;
        };
        /** @description A preview picture. A text in its place is its prompt alone. */
        SamplePrompt: {
            /**
             * Format: double
             * @description Classifier-free guidance; 5 if omitted.
             */
            guidance?: number | null;
            /**
             * Format: int32
             * @description Height in pixels. If omitted, the training's resolution.
             */
            height?: number | null;
            /**
             * Format: double
             * @description How strongly the LoRA is applied; 1 if omitted. The kohya engine applies it at 1.
             */
            lora_weight?: number | null;
            /**
             * Format: int32
             * @description Denoising steps; 20 if omitted.
             */
            n_steps?: number | null;
            /** @description What it should not show. If omitted, nothing is said of it, as the base model is used without a negative prompt. */
            negative_prompt?: string | null;
            /** @description What the picture shows. */
            prompt: string;
            sampler?: components["schemas"]["Sampler"] | null;
            /** @description Seed of the initial noise, up to 18446744073709551615. Random if it is omitted or -1. One above 9007199254740991 is written as a string, so that JavaScript keeps all of its digits. */
            seed?: number | string | null;
            /**
             * Format: int32
             * @description Width in pixels. If omitted, the training's resolution.
             */
            width?: number | null;
        };
        /**
         * @description How noise is turned into a picture.
         * @enum {string}
         */
        Sampler: "euler" | "euler_a" | "ddim" | "dpmpp2m";
        /** @description A picture as a training sees it. */
        SeenPicture: {
            /** @description The caption with trigger word, prefix and suffix. */
            caption: string;
            /**
             * Format: double
             * @description Share of the picture that is cut off, from 0 to 1.
             */
            cut: number;
            /**
             * Format: int32
             * @description Height in pixels to which it is cut.
             */
            height: number;
            /** @description Its id. */
            id: components["schemas"]["ItemId"];
            /** @description Whether tags change places or are left out from one time to the next. */
            is_caption_changing: boolean;
            /**
             * Format: int32
             * @description About how often the whole training shows it.
             */
            n_views: number;
            /** @description SHA-256 of the file, in hexadecimal. */
            sha256: string;
            /**
             * Format: int32
             * @description Width in pixels to which it is cut, around its center.
             */
            width: number;
        };
        /**
         * @description The pictures that one optimizer step saw, each with its loss: three lists of the same length. Pictures that were drawn
         *     for regularization are left out.
         */
        SeenPictures: {
            /** @description Loss of each before it is weighted, by min-SNR for example; with six decimal places. */
            losses: number[];
            /** @description The pictures, by their place in the job's dataset version; from 0. */
            pictures: number[];
            /**
             * Format: int32
             * @description The optimizer step; from 1.
             */
            step: number;
            /** @description The timestep at which each was shown: from 0, nearly clean, to 999, nearly noise. */
            timesteps: number[];
        };
        /** @description The caller. */
        Session: {
            /** @description Version of the server. */
            server_version: string;
            /** @description How this browser signed in: `login address` or the name of an API token. Absent if the request used a token. */
            signed_in_with?: string | null;
            /** @description Name of the token used for this request. */
            token_name: string;
        };
        /** @description Sets a limit. */
        SetBudget: {
            /** @description Name of the project; omitted for other scopes. */
            key?: string | null;
            /**
             * Format: int64
             * @description Limit in micro-dollars; null removes it.
             */
            limit_micro_usd?: number | null;
            /** @description Scope: a project, the user, or this month and later ones. The limit of a job is set on the job. */
            scope: components["schemas"]["BudgetScope"];
        };
        /** @description Sets a job's limit. */
        SetJobLimit: {
            /**
             * Format: int64
             * @description Total cost limit, in micro-dollars.
             */
            limit_micro_usd: number;
        };
        /**
         * @description Severity of a finding.
         * @enum {string}
         */
        Severity: "error" | "warning" | "note";
        /** @description How often a training shows a picture, and as what. */
        Showing: {
            /** @description Its group; empty if it is in none. */
            group?: string;
            /** @description Whether it is a regularization picture: without the trigger word, and with a loss weight of its own. */
            regularization?: boolean;
            /**
             * Format: int32
             * @description How many times an epoch shows it.
             */
            repeats?: number;
        };
        /** @description What "sign out everywhere" ended. */
        SignedOut: {
            /**
             * Format: int64
             * @description Number of unused login addresses that were revoked.
             */
            n_login_addresses: number;
            /**
             * Format: int64
             * @description Number of browsers that were signed in.
             */
            n_sessions: number;
        };
        /** @description Overview of spending. */
        Spend: {
            /** @description Budgets of the user, of months and of projects. Those of jobs are part of the jobs. */
            budgets: components["schemas"]["Budget"][];
            /** @description Machines: first those not confirmed terminated, then the newest of the others. */
            instances: components["schemas"]["RentedInstance"][];
            /** @description The month that a machine ordered now would be paid by, as the key of its budget: `2026-11`. */
            month: string;
            /** @description Cost per hour of all running machines, in micro-dollars. */
            rate_micro_usd: components["schemas"]["MicroUsd"];
        };
        /**
         * @description What a picture is used for.
         * @enum {string}
         */
        Split: "train" | "held_out";
        /** @description Splits a page into panels. */
        SplitIntoPanels: {
            /** @description What becomes of balloons. */
            balloons?: components["schemas"]["Balloons"];
            /** @description The panels in reading order, from 1 to 64. They lie on the page, and each side has at least 64 pixels. */
            frames: components["schemas"]["PageFrame"][];
        };
        /** @description An estimate with its range. */
        Spread_f64: {
            /** Format: double */
            high: number;
            /** Format: double */
            likely: number;
            /** Format: double */
            low: number;
        };
        /** @description An estimate with its range. */
        Spread_MicroUsd: {
            /**
             * Format: int64
             * @description An amount of money in millionths of a US dollar.
             */
            high: number;
            /**
             * Format: int64
             * @description An amount of money in millionths of a US dollar.
             */
            likely: number;
            /**
             * Format: int64
             * @description An amount of money in millionths of a US dollar.
             */
            low: number;
        };
        /**
         * @description Stage of a model version.
         * @enum {string}
         */
        Stage: "draft" | "approved" | "retired";
        /**
         * @description What a LoRA was found to be.
         * @enum {string}
         */
        Stamp: "too_weak" | "good" | "overcooked" | "copies" | "bleeds" | "cannot_tell";
        /** @description The numbers of one optimizer step. */
        StepMetrics: {
            /**
             * Format: double
             * @description Mean loss of the last epoch's worth of steps.
             */
            average_loss: number;
            /**
             * Format: int32
             * @description The epoch that this step belongs to; from 1.
             */
            epoch: number;
            /**
             * Format: double
             * @description Estimated time to the last step.
             */
            eta_seconds: number;
            /**
             * Format: double
             * @description Global gradient norm before clipping; 0 if the engine does not report it.
             */
            gradient_norm: number;
            /**
             * Format: double
             * @description Learning rate used by this step.
             */
            learning_rate: number;
            /**
             * Format: double
             * @description Training loss of this step's batch.
             */
            loss: number;
            /**
             * Format: int32
             * @description All epochs of the job.
             */
            n_epochs: number;
            /**
             * Format: int32
             * @description All optimizer steps of the job.
             */
            n_steps: number;
            /**
             * Format: int32
             * @description Optimizer steps done, this one included; from 1.
             */
            step: number;
            /**
             * Format: double
             * @description Wall-clock time of this step.
             */
            step_ms: number;
        };
        /** @description A picture in a step. */
        StepPicture: components["schemas"]["PictureOfJob"] & {
            /**
             * Format: double
             * @description Its loss before it is weighted.
             */
            loss: number;
            /**
             * Format: double
             * @description The loss divided by the mean loss of its band of 100 timesteps, over the steps around this one: several minutes of
             *     the job.
             */
            relative_loss: number;
            /**
             * Format: int32
             * @description The timestep at which it was shown: from 0, nearly clean, to 999, nearly noise.
             */
            timestep: number;
        };
        /** @description A file in the object store. */
        StoredFile: {
            /** @description SHA-256, in hexadecimal. */
            sha256: string;
            /**
             * Format: int64
             * @description Size.
             */
            size_bytes: number;
            /** @description Signed URL. */
            url: string;
        };
        /** @description State of the server. */
        SystemStatus: {
            /** @description Free space on its disks. */
            disk: components["schemas"]["DiskStatus"];
            /** @description Whether mail about jobs is set up. */
            sends_mail: boolean;
        };
        /**
         * Format: uuid
         * @description A token of the HTTP API, or a browser session.
         */
        TokenId: string;
        /**
         * @description Who uses a token.
         * @enum {string}
         */
        TokenScope: "user" | "agent";
        /** @description The trained LoRA. */
        TrainResult: {
            after?: components["schemas"]["ArtifactId"] | null;
            /** @description The stored file. */
            artifact_id: components["schemas"]["ArtifactId"];
            before?: components["schemas"]["ArtifactId"] | null;
            judgement?: components["schemas"]["Judgement"] | null;
            /** @description The file's metadata. */
            metadata: {
                [key: string]: string;
            };
            /**
             * Format: int32
             * @description Optimizer steps done.
             */
            n_steps: number;
            /** @description The verdict on the file. */
            verdict: components["schemas"]["Verdict"];
        };
        /** @description One job to train. */
        TrainWork: {
            /** @description Where this machine finds the base model. */
            base: components["schemas"]["BaseLocation"];
            /** @description What the server knows of the base model beside its files. */
            base_known?: components["schemas"]["KnownOfBase"];
            /** @description Train no further: the result is what the checkpoint holds. */
            finish?: boolean;
            /** @description An earlier attempt has drawn the previews of before the first step; an older agent draws them again. */
            is_start_drawn?: boolean;
            /** @description The job. */
            job_id: components["schemas"]["JobId"];
            /** @description The pictures to train on. */
            manifest: components["schemas"]["Manifest"];
            /** @description Signed URLs of the pictures, by SHA-256. */
            picture_urls: {
                [key: string]: string;
            };
            /** @description Its configuration. */
            recipe: components["schemas"]["Recipe"];
            resume_from?: components["schemas"]["StoredFile"] | null;
            start_from?: components["schemas"]["StoredFile"] | null;
        };
        /** @description Something in the trash. */
        Trashed: {
            /**
             * Format: date-time
             * @description When it was deleted.
             */
            deleted_at: string;
            /**
             * Format: uuid
             * @description Id of the job, model, model version or generation.
             */
            id: string;
            /** @description What it is. */
            kind: components["schemas"]["TrashKind"];
            /** @description Its name; of a generation, its prompt. */
            name: string;
            /**
             * Format: date-time
             * @description Until when it can be brought back.
             */
            restorable_until: string;
        };
        /** @description One thing to delete or to bring back. */
        TrashItem: {
            /**
             * Format: uuid
             * @description Id of the job, model, model version or generation.
             */
            id: string;
            /** @description What it is. */
            kind: components["schemas"]["TrashKind"];
        };
        /** @description Things to delete or to bring back: all of them, or none. */
        TrashItems: {
            /** @description Which ones. */
            items: components["schemas"]["TrashItem"][];
        };
        /**
         * @description What can be deleted and brought back.
         * @enum {string}
         */
        TrashKind: "model" | "model_version" | "generation" | "job";
        /** @description Asks an endpoint about one picture, and changes nothing. */
        TryCaptionEndpoint: {
            /** @description The dataset of the picture. */
            dataset_id: components["schemas"]["DatasetId"];
            /** @description The picture. */
            item_id: components["schemas"]["ItemId"];
            /** @description What the model is told: see `CreateCaptionRun`. */
            prompt: string;
            /** @description What `{trigger}` stands for; empty for nothing. */
            trigger_word?: string;
        };
        /** @description Undoes an edit of captions. */
        UndoCaptionEdit: {
            /**
             * @description Leave captions that were changed since as they are, and undo the others. Without it, such captions are a conflict
             *     (409), and nothing is undone.
             * @default false
             */
            skip_changed: boolean;
        };
        /** @description What was undone. */
        UndoneCaptionEdit: {
            /** @description The edit. */
            edit: components["schemas"]["CaptionEdit"];
            /**
             * Format: int64
             * @description Number of captions that are what they were before it.
             */
            n_restored: number;
            /**
             * Format: int64
             * @description Number of captions that were changed since, or whose picture was deleted, and stay as they are.
             */
            n_skipped: number;
        };
        /** @description Reports that a file of the assignment cannot be used. The server checks the file itself. */
        UnusableFile: {
            /** @description The bytes are correct, but the engine cannot resume from them; only for a checkpoint. */
            arrived: boolean;
            /**
             * Format: int64
             * @description See [`Assignment::fence`].
             */
            fence: number;
            /** @description What the agent observed, for a person, at most 2000 characters. */
            problem: string;
            /** @description SHA-256 of the file as the assignment names it, in hexadecimal. */
            sha256: string;
        };
        /** @description Changes a dataset. */
        UpdateDataset: {
            /** @description The new name, from 1 to 80 characters. */
            name?: string | null;
        };
        /** @description Changes all pictures of groups. */
        UpdateGroups: {
            /** @description The groups, at most 1000. */
            groups: components["schemas"]["GroupChange"][];
        };
        /** @description Changes a picture's caption or use. */
        UpdateItem: {
            /** @description The new caption, of at most 64 KiB. */
            caption?: string | null;
            /**
             * @description The caption that the new one replaces. With it, a caption that somebody else has changed in the meantime
             *     is kept: the request is rejected (412), and the response has the current caption in `current`.
             */
            expected_caption?: string | null;
            /** @description The new group, of at most 80 characters; empty for none. */
            group?: string | null;
            /** @description Whether it is a regularization picture. */
            regularization?: boolean | null;
            /**
             * Format: int32
             * @description How many times an epoch shows it.
             */
            repeats?: number | null;
            split?: components["schemas"]["Split"] | null;
        };
        /** @description Changes a label. What is left out stays as it is. */
        UpdateLabel: {
            /** @description A note of one line; empty for none. */
            note?: string | null;
            /** @description Whether it has a star. */
            starred?: boolean | null;
            /** @description All of its tags, each of at most 40 characters. */
            tags?: string[] | null;
        };
        /** @description The parts of an upload, any number in any order. */
        Upload: {
            /**
             * @description Pictures (PNG, JPEG, WebP, BMP, GIF, TIFF), captions (`.txt`, `.caption` or `.json`, named like their picture, or of
             *     many pictures in a `.jsonl`, `.csv` or `.json`), loss masks
             *     (`NAME-masklabel.png`, or the picture's name in a folder `masks` or `conditioning_data` beside it) and `.zip`
             *     archives of all. The part's own name does not matter.
             */
            files: string[];
            split?: components["schemas"]["Split"] | null;
        };
        /** @description The result of an upload, file by file. */
        UploadReport: {
            /** @description Pictures that were added. */
            accepted: components["schemas"]["Item"][];
            /** @description The dataset after the upload. */
            dataset: components["schemas"]["Dataset"];
            /** @description Rejected files, each with its reason. */
            refused: components["schemas"]["RefusedFile"][];
            /** @description Pictures already in the dataset whose lost or damaged file was restored. */
            restored?: components["schemas"]["Item"][];
        };
        /** @description Where to upload an announced file. */
        UploadTicket: {
            /** @description Its id. */
            artifact_id: components["schemas"]["ArtifactId"];
            /** @description Headers to send unchanged: the signature of an object store URL covers them. */
            upload_headers?: {
                [key: string]: string;
            };
            /** @description Signed URL to `PUT` the bytes to; absent if the store already has them. */
            upload_url?: string | null;
        };
        /** @description Validation losses on held-out pictures at fixed timesteps and noise. */
        ValidationLosses: {
            /** @description Mean loss at each timestep with the LoRA. */
            after: number[];
            /** @description Mean loss at each timestep without the LoRA. */
            before: number[];
            /**
             * Format: int32
             * @description Held-out pictures measured.
             */
            n_items: number;
            /** @description The fixed timesteps. */
            timesteps: number[];
        };
        /** @description Whether a trained file is fit for use, with the measurements behind it. */
        Verdict: {
            /** @description The checks, in the order they were made. */
            checks: components["schemas"]["VerdictCheck"][];
            /** @description Norm of the change of each module's weight, largest first; `(alpha / rank) · ‖up · down‖`. */
            module_norms: components["schemas"]["ModuleNorm"][];
            /** @description Every check passed. */
            passed: boolean;
            /**
             * Format: double
             * @description Mean absolute difference between the fixed-seed pictures at weight 0 and 1, in steps of 1/255.
             */
            picture_change?: number | null;
            validation?: components["schemas"]["ValidationLosses"] | null;
        };
        /** @description One check of a verdict. */
        VerdictCheck: {
            /** @description The result, with numbers. */
            detail: string;
            /**
             * @description What was checked: `opens`, `complete`, `finite`, `non_zero`, `weight_zero`, `picture_changes`,
             *     `validation_loss`.
             */
            name: string;
            /** @description Whether it passed. */
            passed: boolean;
        };
        /** @description A webhook. */
        Webhook: {
            /**
             * Format: date-time
             * @description When it was added.
             */
            created_at: string;
            /** @description Why nothing is sent to it any more; absent while it is in use. */
            disabled?: string | null;
            /** @description What it is told of. */
            events: components["schemas"]["NoticeKind"][];
            /** @description Its id. */
            id: components["schemas"]["WebhookId"];
            /** @description Its name. */
            name: string;
            /** @description Scheme and host of its URL; the rest may contain a secret. */
            origin: string;
        };
        /**
         * Format: uuid
         * @description An address that is told of jobs.
         */
        WebhookId: string;
        /** @description What to do. */
        Work: (components["schemas"]["TrainWork"] & {
            /** @enum {string} */
            kind: "train";
        }) | (components["schemas"]["GenerateWork"] & {
            /** @enum {string} */
            kind: "generate";
        }) | (components["schemas"]["EditWork"] & {
            /** @enum {string} */
            kind: "edit";
        });
        /**
         * @description Kinds of work.
         * @enum {string}
         */
        WorkKind: "train" | "generate" | "edit";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    create_artifact: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The attempt */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewArtifact"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadTicket"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    complete_artifact: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The file */
                artifact_id: string;
                /** @description The attempt */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file is complete */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    finish: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The attempt */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Finish"];
            };
        };
        responses: {
            /** @description Ended */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    heartbeat: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The attempt */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Heartbeat"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HeartbeatReply"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    report_unusable: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The attempt */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UnusableFile"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Instead"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    claim: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ClaimRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClaimReply"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_audit: {
        parameters: {
            query?: {
                /** @description `next` of the previous page. */
                after?: string;
                /** @description Only those of this category. */
                category?: components["schemas"]["AuditCategory"];
                /** @description Number of entries, 1 to 500. */
                limit?: number;
                /** @description Only those at or after this time. */
                since?: string;
                /** @description Only those before this time. */
                until?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AuditEntry"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_base_models: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BaseModel"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_caption_endpoints: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CaptionEndpoint"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_caption_endpoint: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateCaptionEndpoint"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CaptionEndpoint"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_caption_endpoint: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The endpoint */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    try_caption_endpoint: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The endpoint */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TryCaptionEndpoint"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CaptionTrial"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    clean_up: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CleanUp"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CleanUpResult"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    preview_clean_up: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CleanUp"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CleanUpResult"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_datasets: {
        parameters: {
            query?: {
                /** @description `next` of the previous page. */
                after?: string;
                /** @description Number of entries, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Dataset"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_dataset: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateDataset"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dataset"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_dataset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dataset"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_dataset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_dataset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateDataset"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dataset"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    acknowledge_findings: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AcknowledgeFindings"];
            };
        };
        responses: {
            /** @description Acknowledged */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_caption_edits: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CaptionEdit"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    edit_captions: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EditCaptions"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CaptionEditReport"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    undo_caption_edit: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The edit */
                edit_id: string;
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UndoCaptionEdit"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UndoneCaptionEdit"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_caption_runs: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CaptionRun"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_caption_run: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateCaptionRun"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CaptionRun"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_caption_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The run */
                run_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CaptionRun"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    accept_captions: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The dataset */
                id: string;
                /** @description The run */
                run_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChooseProposals"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AcceptedProposals"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    dismiss_captions: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The run */
                run_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChooseProposals"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DismissedProposals"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_caption_proposals: {
        parameters: {
            query?: {
                /** @description `next` of the previous page. */
                after?: string;
                /** @description Number of entries, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The run */
                run_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_CaptionProposal"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    stop_caption_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The run */
                run_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CaptionRun"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    check_dataset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CheckDataset"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DatasetFindings"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    export_dataset: {
        parameters: {
            query: {
                /** @description How the archive is laid out. */
                format: "kohya" | "diffusers" | "onetrainer";
                /** @description A version that a job has frozen, in place of the dataset as it is. */
                version?: components["schemas"]["DatasetVersionId"];
            };
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The `.zip` file */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/zip": unknown;
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_groups: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateGroups"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dataset"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_items: {
        parameters: {
            query?: {
                /** @description `next` of the previous page. */
                after?: string;
                /** @description Number of entries, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Item"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    upload_items: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": components["schemas"]["Upload"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadReport"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_item: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The picture */
                item_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_item: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The picture */
                item_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateItem"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Item"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_mask: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The picture */
                item_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The mask, a `.png` file */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_mask: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The picture */
                item_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Item"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    find_panels: {
        parameters: {
            query: {
                /** @description In which direction the panels of a row are read. */
                order: "left_to_right" | "right_to_left";
            };
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The picture */
                item_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FoundPanels"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    split_into_panels: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The dataset */
                id: string;
                /** @description The picture */
                item_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SplitIntoPanels"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MadePanels"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_thumbnail: {
        parameters: {
            query?: {
                /** @description The `sha256` of the picture. If it is the current one, the answer may be kept for good. */
                of?: string;
            };
            header?: never;
            path: {
                /** @description The dataset */
                id: string;
                /** @description The picture */
                item_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thumbnail, a `.jpg` or `.webp` file */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/jpeg": unknown;
                    "image/webp": unknown;
                };
            };
            /** @description The thumbnail is the one that `If-None-Match` names */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_demo_dataset: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateDataset"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dataset"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_deliveries: {
        parameters: {
            query?: {
                /** @description `next` of the previous page. */
                after?: string;
                /** @description Number of entries, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Delivery"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    send_again: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The delivery */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Delivery"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_drawing_sessions: {
        parameters: {
            query?: {
                /** @description `next` of the previous page. */
                after?: string;
                /** @description Number of entries, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_DrawingSession"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_drawing_session: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateDrawingSession"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DrawingSession"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_drawing_session: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The drawing session */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DrawingSession"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    end_drawing_session: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The drawing session */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DrawingSession"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    price_drawing_session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PriceDrawingSession"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DrawingPrices"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_edits: {
        parameters: {
            query?: {
                /** @description `next` of the previous page. */
                after?: string;
                /** @description Number of entries, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_LoraEdit"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_edit: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateEdit"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoraEdit"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_edit: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The edit */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoraEdit"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancel_edit: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The edit */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoraEdit"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    download_edit: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The edit */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The requested range */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The file is at the signed URL in `Location` */
            307: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    all_events: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A WebSocket that carries AnyJobEvent messages */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_generations: {
        parameters: {
            query?: {
                /** @description `next` of the previous page. */
                after?: string;
                /** @description Number of entries, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Generation"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_generation: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateGeneration"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Generation"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_generation: {
        parameters: {
            query?: {
                /** @description Seconds to wait for the generation to end, at most 60; the response has its state at that time. */
                wait_seconds?: number;
            };
            header?: never;
            path: {
                /** @description The generation */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Generation"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    download_generation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The generation */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The `.png` file */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The requested range */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The file is at the signed URL in `Location` */
            307: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    follow_generation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The generation */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A WebSocket that carries GenerationNews messages */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GenerationNews"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_picture_thumbnail: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The generation */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thumbnail, a `.jpg` or `.webp` file */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/jpeg": unknown;
                    "image/webp": unknown;
                };
            };
            /** @description The thumbnail is the one that `If-None-Match` names */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_jobs: {
        parameters: {
            query?: {
                /** @description `next` of the previous page. */
                after?: string;
                /** @description Number of entries, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Job"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_job: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateJob"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_job_artifacts: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Artifact"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancel_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    checkpoint_job: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    job_dataset_changes: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DatasetChanges"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    job_events: {
        parameters: {
            query?: {
                /** @description Events after this number; 0 for all. */
                after?: number;
                /** @description Maximum number of events, 1 to 10000; a WebSocket has no limit. */
                limit?: number;
                /**
                 * @description Kinds of events that are left out, separated by commas: `step,spend` leaves the words. Kinds that this version
                 *     does not know yet are never left out.
                 */
                without?: components["schemas"]["EventKind"][];
            };
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A WebSocket that carries JobEvent messages */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobEvent"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    finish_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    job_judgements: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobJudgements"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    set_job_limit: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetJobLimit"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    job_metrics: {
        parameters: {
            query?: {
                /** @description Maximum number of entries, such as the width of a chart in pixels, 2 to 10000. */
                width?: number;
            };
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Metrics"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_job_pictures: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobPictures"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    job_recipe: {
        parameters: {
            query: {
                /** @description What the recipe is written for. */
                format: components["schemas"]["RecipeFormat"];
            };
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExportedRecipe"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resume_job: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ResumeJob"] | null;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sample_job: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_job_samples: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sample"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_job_step: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
                /** @description The step, from 1 */
                step: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStep"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    stop_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    make_job_version: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The job */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MakeVersion"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    estimate_job: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateJob"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobEstimate"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_labels: {
        parameters: {
            query: {
                /** @description `next` of the previous page. */
                after?: string;
                /** @description What the labels are on. */
                kind: components["schemas"]["Labeled"];
                /** @description Number of entries, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Label"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_label: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job, model or generation */
                id: string;
                /** @description What it is */
                kind: components["schemas"]["Labeled"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateLabel"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Label"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_lora_copies: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoraCopies"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    test_mail: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Delivery"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_model_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model version */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    download_model_version: {
        parameters: {
            query?: {
                /**
                 * @description Adds to the metadata of the file how it is used, and a preview: the tensors are the stored ones, the hash of the file
                 *     is another, and `Range` is not supported.
                 */
                described?: boolean;
            };
            header?: never;
            path: {
                /** @description The model version */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The `.safetensors` file */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The requested range */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The file is at the signed URL in `Location` */
            307: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    promote_model_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model version */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Promote"] | null;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    retire_model_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model version */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    set_usage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model version */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["HowToUse"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_models: {
        parameters: {
            query?: {
                /** @description `next` of the previous page. */
                after?: string;
                /** @description Number of entries, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Model"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    rename_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RenameModel"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    choose_of_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The model */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ModelChoices"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    import_model: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": components["schemas"]["ImportForm"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_own_presets: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OwnPreset"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_own_preset: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateOwnPreset"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OwnPreset"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_own_preset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The preset */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_presets: {
        parameters: {
            query: {
                /** @description Name of the base model. */
                base_model: string;
                /** @description The family of base models; absent for the one that the base was recognized as. */
                family?: components["schemas"]["Family"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PresetInfo"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    count_prompts: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CountPrompts"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromptCounts"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_providers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProviderInfo"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resume_provider: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The provider */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    read_recipe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ImportRecipe"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportedRecipe"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_registered_bases: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RegisteredBase"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    register_base: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RegisterBase"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RegisteredBase"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    remove_base: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its name */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Removed */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    check_base: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its name */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RegisteredBase"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    copy_base: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its name */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RegisteredBase"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    set_base: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its name */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BaseSettings"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RegisteredBase"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sign_out: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed out */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BrowserSession"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sign_out_everywhere: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignedOut"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    end_session: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The session */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed out */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_spend: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Spend"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    set_budget: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetBudget"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Budget"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_ledger: {
        parameters: {
            query?: {
                /** @description Only those of this drawing session. */
                drawing_session?: components["schemas"]["DrawingSessionId"];
                /** @description Only those of this job. */
                job?: components["schemas"]["JobId"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LedgerEntry"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_system: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SystemStatus"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiToken"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_token: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateToken"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedToken"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_token: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The token */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_trash: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trashed"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    move_to_trash: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TrashItems"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trashed"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    restore_from_trash: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TrashItems"];
            };
        };
        responses: {
            /** @description They are there again */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_webhooks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"][];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_webhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateWebhook"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedWebhook"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_webhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The webhook */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    test_webhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The webhook */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Delivery"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    log_in: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description Signed in; the response sets the session cookie */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Too many failed sign-ins from this address; `Retry-After` says how long to wait */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_images: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to repeat this request. Use a new key, such as a UUID, for each thing to create, and repeat the request with the same key if no response came: the first response is returned again with `Idempotency-Replayed: true`, and nothing is created twice. The same key with another request is rejected (422). Responses are kept for a week; errors are not. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ImagesRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImagesResponse"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    list_image_models: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelsResponse"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    get_image_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description A base model, or a model of the library */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelEntry"];
                };
            };
            /** @description What is wrong and how to fix it */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
}
